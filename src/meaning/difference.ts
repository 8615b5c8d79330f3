import type { Direction, HostModel, Model, Nic, RuleId } from '../model/model.ts'
import { type LinesDifference, type Traffic, differenceOfLines, trafficOfLines } from './difference-lines.ts'
import { type Privilege, hostPrivileges, nicPrivileges } from './difference-privileges.ts'
import { groupBy } from './groups.ts'
import { type Line, hostInboundLines, linesOf } from './space.ts'
import { volumeOf } from './space-addresses.ts'
import { opennessOf } from './space-services.ts'

/** Where rules are enforced: at a guest's NIC, or at a hypervisor's own firewall. */
export type Place =
  | { readonly kind: 'guest'; readonly guest: string; readonly port: string; readonly host: string }
  | { readonly kind: 'host'; readonly host: string }

/** Traffic in one direction, seen from the places: peers are the senders of inbound and the receivers of outbound traffic. */
export interface DirectedTraffic extends Traffic {
  readonly direction: Direction
}

/**
 * One thing that a change means. Places with equal changes are one; `places` is never empty. `openness` is for ranking only: addresses
 * × ports × places.
 */
export type MeaningChange =
  /** Packets that pass there now and did not before, or the other way round. */
  | {
      readonly kind: 'opened' | 'closed'
      readonly places: readonly Place[]
      readonly traffic: DirectedTraffic
      readonly openness: number
    }
  /** What a NIC or host may do beside rules: use a source, serve DHCP, speak in a network. */
  | {
      readonly kind: 'granted' | 'revoked'
      readonly places: readonly Place[]
      readonly privilege: Privilege
      readonly openness: number
    }
  /** A NIC or host that is in one of both models only, with all that may pass there. */
  | {
      readonly kind: 'came' | 'went'
      readonly places: readonly Place[]
      readonly traffic: readonly DirectedTraffic[]
      readonly privileges: readonly Privilege[]
      readonly openness: number
    }

/** One place in one model. */
interface Station {
  readonly place: Place
  /** `guest web-1`, `host hv-1`. */
  readonly owner: string
  readonly inbound: readonly Line[]
  readonly outbound: readonly Line[]
  readonly privileges: readonly Privilege[]
}

/**
 * What a change of the model means to packets, exactly and without sampling: by `judge`, a packet passes at a place after and not
 * before if and only if it is in a change that opened there, and the other way round. What opens most comes first, and everything that
 * opens before anything that closes. Empty when only names, places in files, or the order of rules that never meet have changed.
 * A guest that moved to another host has not changed. Places with the same rules as before cost next to nothing.
 */
export function difference(before: Model, after: Model): readonly MeaningChange[] {
  const known = new Map<readonly Line[], Map<readonly Line[], LinesDifference>>()
  const { pairs, came, went } = pair(stationsOf(before), stationsOf(after))
  const changes = pairs.flatMap(({ previous, station }) => compare(previous, station, known))
  return rank([...merge(changes), ...presence('came', came), ...presence('went', went)])
}

interface Pairing {
  readonly pairs: readonly { readonly previous: Station; readonly station: Station }[]
  readonly came: readonly Station[]
  readonly went: readonly Station[]
}

/** The same place in both models: by its key, and what is left of one guest in order (a new MAC does not make a new NIC). */
function pair(before: ReadonlyMap<string, Station>, after: ReadonlyMap<string, Station>): Pairing {
  const left = new Map<string, Station[]>()
  for (const [key, station] of before) {
    if (after.has(key)) continue
    left.set(station.owner, [...(left.get(station.owner) ?? []), station])
  }
  const pairs: { previous: Station; station: Station }[] = []
  const came: Station[] = []
  for (const [key, station] of after) {
    const previous = before.get(key) ?? left.get(station.owner)?.shift()
    if (previous === undefined) came.push(station)
    else pairs.push({ previous, station })
  }
  return { pairs, came, went: [...left.values()].flat() }
}

/** A change at one place, before equal ones are put together. */
type Single = {
  readonly key: string
  readonly place: Place
} & (
  | { readonly kind: 'opened' | 'closed'; readonly traffic: DirectedTraffic }
  | { readonly kind: 'granted' | 'revoked'; readonly privilege: Privilege }
)

function compare(
  before: Station,
  after: Station,
  known: Map<readonly Line[], Map<readonly Line[], LinesDifference>>,
): readonly Single[] {
  const { place } = after
  const traffic = (['inbound', 'outbound'] as const).flatMap((direction) => {
    const { opened, closed } = differenceOnce(before[direction], after[direction], known)
    const singles = (kind: 'opened' | 'closed', list: readonly Traffic[]) =>
      list.map((one): Single => {
        const directed = { ...one, direction }
        return { kind, key: `${kind} ${trafficKey(directed)}`, place, traffic: directed }
      })
    return [...singles('opened', opened), ...singles('closed', closed)]
  })
  const privileges = [
    ...privilegeSingles('granted', place, notIn(after.privileges, before.privileges)),
    ...privilegeSingles('revoked', place, notIn(before.privileges, after.privileges)),
  ]
  return [...traffic, ...privileges]
}

/** Many places share their rules: each pair is compared once. */
function differenceOnce(
  before: readonly Line[],
  after: readonly Line[],
  known: Map<readonly Line[], Map<readonly Line[], LinesDifference>>,
): LinesDifference {
  if (before === after) return noDifference
  const byAfter = known.get(before) ?? new Map<readonly Line[], LinesDifference>()
  const found = byAfter.get(after) ?? differenceOfLines(before, after)
  known.set(before, byAfter.set(after, found))
  return found
}

const noDifference: LinesDifference = { opened: [], closed: [] }

function privilegeSingles(
  kind: 'granted' | 'revoked',
  place: Place,
  privileges: readonly Privilege[],
): readonly Single[] {
  return privileges.map((privilege) => ({ kind, key: `${kind} ${privilege.text}`, place, privilege }))
}

function notIn(list: readonly Privilege[], others: readonly Privilege[]): readonly Privilege[] {
  return list.filter((one) => !others.some((other) => other.text === one.text))
}

function trafficKey({ direction, peers, services }: DirectedTraffic): string {
  return `${direction} ${services.key} ${peers.join()}`
}

function merge(changes: readonly Single[]): readonly MeaningChange[] {
  return groupBy(changes, (change) => change.key).map((group): MeaningChange => {
    const [first] = group as readonly [Single]
    const places = group.map((change) => change.place)
    if (!('traffic' in first))
      return {
        kind: first.kind,
        places,
        privilege: first.privilege,
        openness: first.privilege.openness * places.length,
      }
    const rules = group.flatMap((change) => ('traffic' in change ? change.traffic.rules : []))
    return {
      kind: first.kind,
      places,
      traffic: { ...first.traffic, rules: [...new Set(rules)] },
      openness: opennessOfTraffic(first.traffic) * places.length,
    }
  })
}

/** Newcomers and leavers that may do the same are one. */
function presence(kind: 'came' | 'went', stations: readonly Station[]): readonly MeaningChange[] {
  const known = new Map<readonly Line[], readonly Traffic[]>()
  const trafficOf = (lines: readonly Line[]): readonly Traffic[] => {
    const traffic = known.get(lines) ?? trafficOfLines(lines)
    known.set(lines, traffic)
    return traffic
  }
  const described = stations.map(({ place, inbound, outbound, privileges }) => ({
    place,
    privileges: privileges.filter((privilege) => privilege.isNotable),
    traffic: [
      ...trafficOf(inbound).map((one) => ({ ...one, direction: 'inbound' as const })),
      ...trafficOf(outbound).map((one) => ({ ...one, direction: 'outbound' as const })),
    ],
  }))
  const keyOf = ({ place, traffic, privileges }: (typeof described)[number]) =>
    [place.kind, ...traffic.map(trafficKey), ...privileges.map((one) => one.text)].join(' ')
  return groupBy(described, keyOf).map((group) => {
    const [{ traffic, privileges }] = group as readonly [(typeof described)[number]]
    const openness = [
      ...traffic.map(opennessOfTraffic),
      ...privileges.map((privilege) => privilege.openness),
    ].reduce((sum, one) => sum + one, 0)
    return {
      kind,
      places: group.map((one) => one.place),
      traffic,
      privileges,
      openness: openness * group.length,
    }
  })
}

function opennessOfTraffic({ peers, services }: Traffic): number {
  return volumeOf(peers) * opennessOf(services)
}

const kinds = ['opened', 'granted', 'came', 'closed', 'revoked', 'went'] as const

/** Stable: equals stay in the order of the model. */
function rank(changes: readonly MeaningChange[]): readonly MeaningChange[] {
  const isOpening = (change: MeaningChange) => kinds.indexOf(change.kind) < 3
  return [...changes].sort(
    (a, b) =>
      Number(isOpening(b)) - Number(isOpening(a)) ||
      b.openness - a.openness ||
      kinds.indexOf(a.kind) - kinds.indexOf(b.kind),
  )
}

/**
 * Every place of a model by a key that names it in both: a hypervisor by its name, a NIC by its guest, network and MAC, since a
 * migration may change port and bridge.
 */
function stationsOf(model: Model): ReadonlyMap<string, Station> {
  const stations = new Map<string, Station>()
  for (const host of model.hosts) {
    stations.set(`host ${host.name}`, hostStation(host))
    for (const nic of host.nics)
      stations.set(`guest ${nic.guest} ${nic.network.name} ${nic.mac}`, nicStation(host, nic))
  }
  return stations
}

function hostStation(host: HostModel): Station {
  return {
    place: { kind: 'host', host: host.name },
    owner: `host ${host.name}`,
    inbound: hostInboundLines(host),
    outbound: linesOf(host.own.outbound),
    privileges: hostPrivileges(host),
  }
}

function nicStation(host: HostModel, nic: Nic): Station {
  return {
    place: { kind: 'guest', guest: nic.guest, port: nic.port, host: host.name },
    owner: `guest ${nic.guest}`,
    inbound: linesOf(nic.inbound),
    outbound: linesOf(nic.outbound),
    privileges: nicPrivileges(nic),
  }
}

/** Every rule that a change names. */
export function rulesOfChange(change: MeaningChange): readonly RuleId[] {
  switch (change.kind) {
    case 'opened':
    case 'closed':
      return change.traffic.rules
    case 'came':
    case 'went':
      return [...new Set(change.traffic.flatMap((traffic) => traffic.rules))]
    case 'granted':
    case 'revoked':
      return []
  }
}
