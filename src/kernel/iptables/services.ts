import type { Rule as PolicyRule } from '../../model/model.ts'
import type { Family } from '../../net/address.ts'
import { type PortRange, mergePorts } from '../../net/port.ts'
import type { ServiceMatch } from '../../repo/repo.ts'
import { peerForm } from '../set-name.ts'
import type { Match, Rule, Target } from './rule.ts'

/** `-m multiport` takes at most 15 slots, a range is two of them. See iptables-extensions(8). */
const multiportSlots = 15

/**
 * A policy rule as rules of a chain, in no matter which order: they share peer and verdict. `peerEnd` is the end of the packet
 * that the peer is. Packets of the request direction must match every time, hence nothing of conntrack here.
 */
export function rulesOf(
  rule: PolicyRule,
  {
    family,
    peerEnd,
    target,
  }: { readonly family: Family; readonly peerEnd: 'source' | 'destination'; readonly target: Target },
): readonly Rule[] {
  const peer = peerForm(rule.peer, family)
  if (peer.kind === 'nobody') return []
  const inline = peer.kind === 'prefix' && !peer.prefix.endsWith('/0') ? { [peerEnd]: peer.prefix } : {}
  const set: readonly Match[] = peer.kind === 'set' ? [{ kind: 'set', name: peer.name, end: peerEnd }] : []
  return headersOf(rule.services, family).map(({ protocol, matches }) => ({
    ...inline,
    ...(protocol === undefined ? {} : { protocol }),
    matches: [...matches, ...set],
    comment: `gw:${rule.id}`,
    target,
  }))
}

/** What a packet's headers must say; no `protocol` means any. */
interface Header {
  readonly protocol?: number
  readonly matches: readonly Match[]
}

function headersOf(services: readonly ServiceMatch[], family: Family): readonly Header[] {
  const headers = [...mergeServices(services)].flatMap((service) => headersOfService(service, family))
  const isForAll = headers.some(({ protocol }) => protocol === undefined)
  return isForAll ? [{ matches: [] }] : headers
}

/** Services that differ in their destination ports only become one, so that they share a multiport match. */
function mergeServices(services: readonly ServiceMatch[]): Iterable<ServiceMatch> {
  const merged = new Map<string, ServiceMatch>()
  for (const service of services) {
    const { ports: _, ...rest } = 'ports' in service ? service : { ...service, ports: [] }
    const key = JSON.stringify(rest)
    const before = merged.get(key)
    if (before !== undefined && 'ports' in before && 'ports' in service) {
      const isAll = before.ports.length === 0 || service.ports.length === 0
      merged.set(key, { ...service, ports: isAll ? [] : mergePorts([...before.ports, ...service.ports]) })
    } else merged.set(key, service)
  }
  return merged.values()
}

const numbers = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmp6: 58 } as const

function headersOfService(service: ServiceMatch, family: Family): readonly Header[] {
  switch (service.protocol) {
    case 'any':
      return [{ matches: [] }]
    case 'number':
      return numberHeader(service.number, family)
    case 'icmp':
    case 'icmp6':
      return (service.protocol === 'icmp') === (family === 4) ? [icmpHeader(service)] : []
    case 'tcp':
    case 'udp':
    case 'sctp':
      return portHeaders(service)
  }
}

/** Extension headers of IPv6, which the kernel steps over to find the protocol: no packet has one of these as its protocol. */
const extensionHeaders: readonly number[] = [0, 43, 44, 51, 60]

function numberHeader(number: number, family: Family): readonly Header[] {
  if (family === 6 && extensionHeaders.includes(number)) return []
  if (number === 0)
    throw new Error('IP protocol 0: iptables takes it for "any protocol": name the protocols you mean')
  return [{ protocol: number, matches: [] }]
}

function icmpHeader({
  protocol,
  type,
  code,
}: ServiceMatch & { readonly protocol: 'icmp' | 'icmp6' }): Header {
  if (type === undefined) return { protocol: numbers[protocol], matches: [] }
  if (protocol === 'icmp' && type === 255)
    throw new Error('ICMP type 255: iptables takes it for "any type": leave the type out, or name another')
  return {
    protocol: numbers[protocol],
    matches: [{ kind: 'icmp', protocol, type, ...(code === undefined ? {} : { code }) }],
  }
}

function portHeaders(
  service: ServiceMatch & { readonly protocol: 'tcp' | 'udp' | 'sctp' },
): readonly Header[] {
  const [sources, destinations] = [narrowed(service.sourcePorts), narrowed(service.ports)]
  const protocol = numbers[service.protocol]
  if (sources.length === 0 && destinations.length === 0) return [{ protocol, matches: [] }]
  if (sources.length <= 1 && destinations.length <= 1) {
    const [[source], [destination]] = [sources, destinations]
    return [
      {
        protocol,
        matches: [
          {
            kind: 'ports',
            protocol: service.protocol,
            ...(source === undefined ? {} : { source }),
            ...(destination === undefined ? {} : { destination }),
          },
        ],
      },
    ]
  }
  return multiports(sources, 'source').flatMap((source) =>
    multiports(destinations, 'destination').map((destination) => ({
      protocol,
      matches: [...source, ...destination],
    })),
  )
}

/** No ranges where every port is meant, as iptables-save leaves `0:65535` out. */
function narrowed(ranges: readonly PortRange[]): readonly PortRange[] {
  return ranges.some(({ first, last }) => first === 0 && last === 65_535) ? [] : ranges
}

function multiports(
  ranges: readonly PortRange[],
  end: 'source' | 'destination',
): readonly (readonly Match[])[] {
  if (ranges.length === 0) return [[]]
  const chunks: PortRange[][] = [[]]
  let free = multiportSlots
  for (const range of ranges) {
    const slots = range.first === range.last ? 1 : 2
    if (slots > free) {
      chunks.push([])
      free = multiportSlots
    }
    chunks.at(-1)?.push(range)
    free -= slots
  }
  return chunks.map((ports) => [{ kind: 'multiport', end, ports }])
}
