import type { Family } from '../net/address.ts'
import type { PortRange } from '../net/port.ts'
import type { ServiceMatch } from '../repo/repo.ts'
import { type Area, areaKey, combineAreas, rectangle, sizeOfArea } from './space-area.ts'
import { type Keep, inBoth, inEither, inLeftOnly, rangesOf } from './space-ranges.ts'

/**
 * An exact set of packets of one IP version, as far as protocol, ports, type and code tell them apart. A packet is a protocol
 * number with a pair: destination and source port, ICMP type and code, or nothing to tell apart.
 */
export interface Services {
  /** Are the protocols that `byProtocol` does not name all in it, whole? */
  readonly others: boolean
  /** By protocol number, ascending; only protocols that differ from `others`. */
  readonly byProtocol: ReadonlyMap<number, Area>
  /** Equal keys mean equal sets. */
  readonly key: string
}

/** Protocol numbers whose packets have ports, by name. */
export const portProtocols = { tcp: 6, udp: 17, sctp: 132 } as const
export const icmpProtocols = { icmp: 1, icmp6: 58 } as const

const wholePorts: Area = rectangle({ first: 0, last: 65_535 }, [{ first: 0, last: 65_535 }])
const wholeTypes: Area = rectangle({ first: 0, last: 255 }, [{ first: 0, last: 255 }])
const wholePoint: Area = rectangle({ first: 0, last: 0 }, [{ first: 0, last: 0 }])

/** Everything that packets of `protocol` can be. */
export function wholeArea(protocol: number): Area {
  switch (protocol) {
    case 6:
    case 17:
    case 132:
      return wholePorts
    case 1:
    case 58:
      return wholeTypes
    default:
      return wholePoint
  }
}

export const noService = services(false, new Map())
export const everyService = services(true, new Map())

/** The packets of IP version `family` that match at least one of a rule's lines. */
export function servicesOf(matches: readonly ServiceMatch[], family: Family): Services {
  const known = known4And6.get(matches) ?? {}
  const set = known[family] ?? matches.map((match) => ofMatch(match, family)).reduce(union, noService)
  known4And6.set(matches, { ...known, [family]: set })
  return set
}

/** Rules are shared by all that they protect; so are their sets. */
const known4And6 = new WeakMap<readonly ServiceMatch[], { readonly 4?: Services; readonly 6?: Services }>()

export function union(left: Services, right: Services): Services {
  return combine(left, right, inEither)
}

export function intersection(left: Services, right: Services): Services {
  return combine(left, right, inBoth)
}

/** What is in `left` only. */
export function without(left: Services, right: Services): Services {
  return combine(left, right, inLeftOnly)
}

export function isNothing(set: Services): boolean {
  return !set.others && set.byProtocol.size === 0
}

/**
 * How much a set opens, for ranking only: a port counts 1 (with some source ports only, that share of it), a whole protocol with ports
 * 65536, all of ICMP 256, any other protocol 256.
 */
export function opennessOf(set: Services): number {
  const named = [...set.byProtocol].map(([protocol, area]) => share(protocol, area) * weightOf(protocol))
  const covered = [...set.byProtocol.keys()].reduce((sum, protocol) => sum + weightOf(protocol), 0)
  const rest = set.others ? 3 * 65_536 + 253 * 256 - covered : 0
  return named.reduce((sum, part) => sum + part, rest)
}

function share(protocol: number, area: Area): number {
  return sizeOfArea(area) / sizeOfArea(wholeArea(protocol))
}

function weightOf(protocol: number): number {
  return wholeArea(protocol) === wholePorts ? 65_536 : 256
}

function ofMatch(match: ServiceMatch, family: Family): Services {
  switch (match.protocol) {
    case 'any':
      return everyService
    case 'number':
      return only(match.number, wholeArea(match.number))
    case 'tcp':
    case 'udp':
    case 'sctp':
      return only(portProtocols[match.protocol], ofPorts(match.ports, match.sourcePorts))
    case 'icmp':
    case 'icmp6': {
      if (family !== (match.protocol === 'icmp' ? 4 : 6)) return noService
      const area = rectangle(byteOrAll(match.type), [byteOrAll(match.code)])
      return only(icmpProtocols[match.protocol], area)
    }
  }
}

function ofPorts(ports: readonly PortRange[], sourcePorts: readonly PortRange[]): Area {
  const ys = rangesOf(sourcePorts.length === 0 ? [allPorts] : sourcePorts)
  return rangesOf(ports.length === 0 ? [allPorts] : ports).map(({ first, last }) => ({ first, last, ys }))
}

const allPorts = { first: 0, last: 65_535 }

function byteOrAll(value: number | undefined): PortRange {
  return value === undefined ? { first: 0, last: 255 } : { first: value, last: value }
}

function only(protocol: number, area: Area): Services {
  return services(false, new Map([[protocol, area]]))
}

function combine(left: Services, right: Services, keep: Keep): Services {
  const protocols = new Set([...left.byProtocol.keys(), ...right.byProtocol.keys()])
  const areas = [...protocols].map(
    (protocol) => [protocol, combineAreas(areaOf(left, protocol), areaOf(right, protocol), keep)] as const,
  )
  return services(keep(left.others, right.others), new Map(areas))
}

/** The part of a set that is of one protocol. */
export function areaOf(set: Services, protocol: number): Area {
  return set.byProtocol.get(protocol) ?? (set.others ? wholeArea(protocol) : [])
}

/** In canonical form, with its key. */
function services(others: boolean, areas: ReadonlyMap<number, Area>): Services {
  const keyed = [...areas]
    .map(([protocol, area]) => ({ protocol, area, key: areaKey(area) }))
    .filter(({ protocol, key }) => key !== (others ? areaKey(wholeArea(protocol)) : ''))
    .sort((a, b) => a.protocol - b.protocol)
  const key = [`${others}`, ...keyed.map((one) => `${one.protocol}=${one.key}`)].join(' ')
  return { others, byProtocol: new Map(keyed.map(({ protocol, area }) => [protocol, area])), key }
}
