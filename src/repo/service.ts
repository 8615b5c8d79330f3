import { type PortRange, formatPorts, mergePorts, parsePorts } from '../net/port.ts'
import { type IcmpName, icmp6Names, icmpNames } from './icmp.ts'
import { quote } from './quote.ts'
import type { ServiceMatch } from './repo.ts'
import { suggest } from './suggest.ts'

/** `unknown`: it does not look like a literal, so it may be a name. */
export type ServiceReading =
  | { readonly kind: 'match'; readonly match: ServiceMatch }
  | { readonly kind: 'unknown' }
  /** `what: what to do`. */
  | { readonly kind: 'refused'; readonly message: string }

/** IP protocols that have a name of their own here. Source: IANA, Protocol Numbers. */
const protocolNumbers: ReadonlyMap<string, number> = new Map([
  ['igmp', 2],
  ['gre', 47],
  ['esp', 50],
  ['ah', 51],
  ['vrrp', 112],
])

type Ports = 'tcp' | 'udp' | 'sctp'

/** Words that no service of a user may have as its name. */
export function isReservedService(name: string): boolean {
  return parseService(name).kind === 'match' || name === 'proto'
}

/**
 * Reads `any`, `tcp`, `tcp/443`, `udp/5000-5010`, `tcp/80,443`, `udp/67@68` (68 is the source port), `icmp`, `icmp/8`,
 * `icmp/3/4`, `icmp6/echo-request`, `proto/47`, `gre`. `proto/6` is read as `tcp`: a packet has one spelling.
 */
export function parseService(text: string): ServiceReading {
  const cut = text.indexOf('/')
  const [protocol, rest] = cut === -1 ? [text, undefined] : [text.slice(0, cut), text.slice(cut + 1)]
  if (protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp') return parsePortService(protocol, rest)
  if (protocol === 'icmp' || protocol === 'icmp6') return parseIcmp(protocol, rest)
  if (protocol === 'proto' && rest !== undefined) return parseProtocol(rest)
  const number = protocolNumbers.get(protocol)
  if (text === 'any') return matched({ protocol: 'any' })
  if (number !== undefined && rest === undefined) return matched({ protocol: 'number', number })
  if (number !== undefined || protocol === 'any')
    return refuse(`${quote(text)}: ${quote(protocol)} has no ports: leave out "/"`)
  return rest === undefined ? { kind: 'unknown' } : refuse(unknownProtocol(protocol, rest))
}

/** `tcp/443`, `icmp/8`, `proto/47`: what `parseService` reads, in its one spelling. */
export function formatService(match: ServiceMatch): string {
  switch (match.protocol) {
    case 'any':
      return 'any'
    case 'number':
      return `proto/${match.number}`
    case 'icmp':
    case 'icmp6':
      return [match.protocol, match.type, match.code].filter((part) => part !== undefined).join('/')
    case 'tcp':
    case 'udp':
    case 'sctp': {
      const ports = match.ports.map(formatPorts).join(',')
      const source = match.sourcePorts.length === 0 ? '' : `@${match.sourcePorts.map(formatPorts).join(',')}`
      return ports + source === '' ? match.protocol : `${match.protocol}/${ports || '0-65535'}${source}`
    }
  }
}

/** The same packets by fewer matches: equal ones once, ports of one protocol together, everything else dropped beside `any`. */
export function mergeServices(matches: readonly ServiceMatch[]): readonly ServiceMatch[] {
  const any = matches.find((match) => match.protocol === 'any')
  if (any !== undefined) return [any]
  const merged = new Map<string, ServiceMatch>()
  for (const match of matches) {
    const key = 'ports' in match ? formatService({ ...match, ports: [] }) : formatService(match)
    const before = merged.get(key)
    merged.set(
      key,
      before !== undefined && 'ports' in before && 'ports' in match ? withPortsOf(before, match) : match,
    )
  }
  return [...merged.values()]
}

type PortMatch = Extract<ServiceMatch, { readonly ports: unknown }>

/** No ports at all means every port. */
function withPortsOf(one: PortMatch, other: PortMatch): PortMatch {
  if (one.ports.length === 0 || other.ports.length === 0) return { ...one, ports: [] }
  return { ...one, ports: everyPortAsNone(mergePorts([...one.ports, ...other.ports])) }
}

function parsePortService(protocol: Ports, rest: string | undefined): ServiceReading {
  if (rest === undefined) return matched({ protocol, ports: [], sourcePorts: [] })
  const [to = '', from, ...more] = rest.split('@')
  const ports = parsePortList(to)
  const sourcePorts = from === undefined ? [] : parsePortList(from)
  if (ports === undefined || sourcePorts === undefined || more.length > 0)
    return refuse(
      `${quote(`${protocol}/${rest}`)}: ports are numbers up to 65535: write ${protocol}/443, ${protocol}/80,443 or ${protocol}/9000-9010`,
    )
  return matched({ protocol, ports: everyPortAsNone(ports), sourcePorts: everyPortAsNone(sourcePorts) })
}

function parsePortList(text: string): readonly PortRange[] | undefined {
  const ranges = text.split(',').flatMap((part) => parsePorts(part.trim()) ?? [])
  return ranges.length === text.split(',').length ? mergePorts(ranges) : undefined
}

function everyPortAsNone(ranges: readonly PortRange[]): readonly PortRange[] {
  return ranges.some((range) => range.first === 0 && range.last === 65_535) ? [] : ranges
}

function parseIcmp(protocol: 'icmp' | 'icmp6', rest: string | undefined): ServiceReading {
  if (rest === undefined) return matched({ protocol })
  const names = protocol === 'icmp' ? icmpNames : icmp6Names
  const [typeText = '', codeText, ...more] = rest.split('/')
  const named: IcmpName | undefined = byteOf(typeText) ?? names.get(typeText)
  // iptables reads type 255 as "any": iptables-extensions(8), icmp.
  const type = named?.type === 255 ? undefined : named
  const code = codeText === undefined ? undefined : byteOf(codeText)?.type
  const codeIsRight = codeText === undefined || (code !== undefined && type?.code === undefined)
  if (type !== undefined && codeIsRight && more.length === 0)
    return matched({ protocol, ...type, ...(code === undefined ? {} : { code }) })
  const near = type === undefined ? suggest(typeText, names.keys()) : undefined
  const advice =
    near === undefined
      ? `write ${protocol}/8, ${protocol}/3/4 or ${protocol}/echo-request`
      : `did you mean ${quote(near)}?`
  return refuse(`${quote(`${protocol}/${rest}`)} is not a type of ICMP: ${advice}`)
}

function byteOf(text: string): IcmpName | undefined {
  return /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= 255 ? { type: Number(text) } : undefined
}

function parseProtocol(text: string): ServiceReading {
  const number = byteOf(text)?.type
  switch (number) {
    // 0 is IPv6's hop-by-hop header, and "any protocol" for iptables.
    case undefined:
    case 0:
      return refuse(`${quote(`proto/${text}`)}: a protocol is a number from 1 to 255: correct it`)
    case 1:
      return matched({ protocol: 'icmp' })
    case 6:
      return parsePortService('tcp', undefined)
    case 17:
      return parsePortService('udp', undefined)
    case 58:
      return matched({ protocol: 'icmp6' })
    case 132:
      return parsePortService('sctp', undefined)
    default:
      return matched({ protocol: 'number', number })
  }
}

function unknownProtocol(protocol: string, rest: string): string {
  const text = quote(`${protocol}/${rest}`)
  const near = suggest(protocol, ['tcp', 'udp', 'sctp', 'icmp', 'icmp6', 'proto'])
  if (near !== undefined) return `${text}: unknown protocol: did you mean ${quote(`${near}/${rest}`)}?`
  return `${text}: unknown protocol: use tcp, udp, sctp, icmp, icmp6, or proto/NUMBER`
}

function matched(match: ServiceMatch): ServiceReading {
  return { kind: 'match', match }
}

function refuse(message: string): ServiceReading {
  return { kind: 'refused', message }
}
