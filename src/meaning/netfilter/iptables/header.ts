import type { Test } from '../chain.ts'
import { matchesInterface, protocolNumber, readInteger, readMasked } from '../names.ts'
import { type IpView, noHeader, portsOf } from '../passage.ts'
import { readIcmp } from '../icmp-names.ts'
import { type Doubt, negateIf } from '../truth.ts'
import type { Option } from './words.ts'

/** Reads one option. `undefined`: not understood. */
export type OptionReader = (option: Option) => Test | undefined

/** The test of one number in the packet; `undefined`: the packet has no such header, and does not match. */
function numberTest(
  read: (ip: IpView) => number | Doubt | undefined,
  accepts: (value: number) => boolean,
  isNegated: boolean,
): Test {
  return ({ ip }) => {
    const value = ip === undefined ? undefined : read(ip)
    if (value === undefined) return false
    return typeof value === 'number' ? accepts(value) !== isNegated : value
  }
}

/** What iptables itself matches: `-s -d -i -o -p -f`. See iptables(8). */
export const readHeader: OptionReader = (option) => {
  const [value = ''] = option.values
  switch (option.name) {
    case '-s':
      return addressTest(value, 'source', option.isNegated)
    case '-d':
      return addressTest(value, 'destination', option.isNegated)
    case '-i':
      return ({ place }) => matchesInterface(value, place.inInterface) !== option.isNegated
    case '-o':
      return ({ place }) => matchesInterface(value, place.outInterface) !== option.isNegated
    case '-p':
      return protocolTest(value, option.isNegated)
    case '-f':
      return ({ ip }) => (ip?.fragment === 'later') !== option.isNegated
    default:
      return undefined
  }
}

function addressTest(text: string, end: 'source' | 'destination', isNegated: boolean): Test | undefined {
  const masked = readMasked(text)
  if (masked === undefined) return undefined
  return ({ ip }) =>
    ip !== undefined &&
    ((ip[end] & masked.mask) === masked.value) === !isNegated &&
    ip.family === masked.family
}

function protocolTest(text: string, isNegated: boolean): Test | undefined {
  const number = text === 'all' ? 0 : protocolNumber(text)
  if (number === undefined) return undefined
  if (number === 0) return () => !isNegated
  return ({ ip }) => (ip?.packet.protocol === number) !== isNegated
}

const portProtocols: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, dccp: 33, udplite: 136 }

/** `-m tcp`, `udp`, `sctp`, `dccp`, `udplite`: ports, and TCP's flags. */
export function portReader(module: string): OptionReader {
  const protocol = portProtocols[module]
  return (option) => {
    const [value = '', wanted = ''] = option.values
    switch (option.name) {
      case '--sport':
        return portTest(value, 'source', protocol, option.isNegated)
      case '--dport':
        return portTest(value, 'destination', protocol, option.isNegated)
      case '--tcp-flags':
        return module === 'tcp' ? flagsTest(value, wanted, option.isNegated) : undefined
      default:
        return undefined
    }
  }
}

function portTest(
  text: string,
  end: 'source' | 'destination',
  protocol: number | undefined,
  isNegated: boolean,
): Test | undefined {
  const range = readPorts(text)
  if (range === undefined) return undefined
  return numberTest(
    (ip) => (ip.packet.protocol === protocol ? portOf(ip, end) : undefined),
    (port) => range.first <= port && port <= range.last,
    isNegated,
  )
}

function portOf(ip: IpView, end: 'source' | 'destination'): number | Doubt | undefined {
  const ports = portsOf(ip)
  return ports === undefined || 'why' in ports ? ports : ports[end]
}

function readPorts(text: string): { readonly first: number; readonly last: number } | undefined {
  const [, from, colon, to] = /^(\d*)(:?)(\d*)$/.exec(text) ?? []
  if (from === undefined || (from === '' && colon === '')) return undefined
  const first = Number(from)
  const last = colon === '' ? first : to === '' ? 65_535 : Number(to)
  return { first, last }
}

/** `--sports`, `--dports`, `--ports` of `-m multiport`: a list of ports and ranges. */
export const readMultiport: OptionReader = ({ name, values, isNegated }) => {
  const ranges = (values[0] ?? '').split(',').map(readPorts)
  const known = ranges.filter((range) => range !== undefined)
  if (known.length !== ranges.length || !['--sports', '--dports', '--ports'].includes(name)) return undefined
  const isIn = (port: number) => known.some(({ first, last }) => first <= port && port <= last)
  return ({ ip }) => {
    const ports = ip === undefined ? undefined : portsOf(ip)
    if (ports === undefined) return false
    if ('why' in ports) return ports
    const isSource = name !== '--dports' && isIn(ports.source)
    const isDestination = name !== '--sports' && isIn(ports.destination)
    return (isSource || isDestination) !== isNegated
  }
}

const flagBits: Readonly<Record<string, number>> = {
  FIN: 1,
  SYN: 2,
  RST: 4,
  PSH: 8,
  ACK: 16,
  URG: 32,
  ALL: 63,
  NONE: 0,
}

function flagsTest(mask: string, wanted: string, isNegated: boolean): Test | undefined {
  const [bits, value] = [readFlags(mask), readFlags(wanted)]
  if (bits === undefined || value === undefined) return undefined
  return numberTest(
    (ip) => {
      const ports = ip.packet.protocol === 6 ? portsOf(ip) : undefined
      return ports === undefined || 'why' in ports ? ports : (ports.tcpFlags ?? noHeader)
    },
    (flags) => (flags & bits) === value,
    isNegated,
  )
}

function readFlags(text: string): number | undefined {
  let bits = 0
  for (const name of text.split(',')) {
    const bit = flagBits[name]
    if (bit === undefined) return undefined
    bits |= bit
  }
  return bits
}

/** `-m icmp`, `-m icmp6`; type 255 of IPv4 is "any" (`icmp_type_code_match`). */
export function icmpReader(module: 'icmp' | 'icmp6'): OptionReader {
  const protocol = module === 'icmp' ? 1 : 58
  return ({ name, values, isNegated }) => {
    if (name !== '--icmp-type' && name !== '--icmpv6-type') return undefined
    const [value = ''] = values
    const isAny = module === 'icmp' && (value === 'any' || value === '255')
    const range = isAny ? { type: 0, firstCode: 0, lastCode: 255 } : readIcmp(value, module)
    if (range === undefined) return undefined
    return ({ ip }) => {
      if (ip === undefined || ip.packet.protocol !== protocol || ip.fragment === 'later') return false
      const { icmp } = ip.packet
      if (icmp === undefined) return isAny ? !isNegated : noHeader
      const isInRange =
        icmp.type === range.type && range.firstCode <= icmp.code && icmp.code <= range.lastCode
      return negateIf(isNegated, isAny || isInRange)
    }
  }
}

/** `-m ttl`, `-m hl`: equal, less, greater. */
export const readHopLimit: OptionReader = ({ name, values, isNegated }) => {
  const [, sign] = /^--(?:ttl|hl)-(eq|lt|gt)$/.exec(name) ?? []
  const limit = readInteger(values[0] ?? '', 255)
  if (sign === undefined || limit === undefined) return undefined
  return ({ hopLimit }) => {
    if (typeof hopLimit !== 'number') return hopLimit
    const truth = sign === 'eq' ? hopLimit === limit : sign === 'lt' ? hopLimit < limit : hopLimit > limit
    return truth !== isNegated
  }
}
