import type { Family } from '../../net/address.ts'
import { type PortMask, type PortRange, portMasks } from '../../net/port.ts'
import type { Direction, Nic, Rule, Ruleset } from '../../model/model.ts'
import type { ServiceMatch } from '../../repo/repo.ts'
import { type Action, resubmit } from './action.ts'
import { type Flow, inTable } from './flow.ts'
import { type Match, type Protocol, addressIn } from './match.ts'
import { type ListPeer, type Membership, peerField } from './members.ts'
import { named } from './port.ts'
import { purposes, tables } from './tables.ts'

/** What the rules of one direction are rendered with. */
interface Place {
  readonly direction: Direction
  readonly membership: Membership
}

/** The rules of every NIC in one direction; what none of them matches is dropped. */
export function ruleFlows(nics: readonly Nic[], place: Place): readonly Flow[] {
  const table = place.direction === 'inbound' ? tables.inRules : tables.outRules
  return [
    ...nics.flatMap((nic) => nicRuleFlows(nic, place, table)),
    inTable(table, purposes.unmatched)(0, {}, []),
  ]
}

function nicRuleFlows(nic: Nic, place: Place, table: number): readonly Flow[] {
  const allow = [resubmit(place.direction === 'inbound' ? tables.inAccept : tables.deliver)]
  const flows = new Map<string, Flow>()
  for (const { rule, priority } of prioritised(nic[place.direction], nic.port)) {
    const actions: readonly Action[] = rule.verdict === 'allow' ? allow : []
    for (const match of matchesOf(rule, place)) {
      const flow = inTable(table, rule.id)(priority, { nic: named(nic.port), ...match }, actions)
      // Of two rules with one match the first decides; in a bundle the last would.
      const identity = `${priority} ${JSON.stringify(match)}`
      if (!flows.has(identity)) flows.set(identity, flow)
    }
  }
  return [...flows.values()]
}

/**
 * Rules that follow each other with one verdict share a priority, counted from the last rule: an allow rule put among allow rules
 * moves no other flow. A rejected packet is dropped here, so deny and reject are one verdict.
 */
function prioritised(
  { rules }: Ruleset,
  port: string,
): readonly { readonly rule: Rule; readonly priority: number }[] {
  let band = 0
  const fromLast = [...rules].reverse().map((rule, index, reversed) => {
    const after = reversed[index - 1]
    if (after !== undefined && isAllow(after) !== isAllow(rule)) band++
    return { rule, priority: 100 + 10 * band }
  })
  if (100 + 10 * band > 65535)
    throw new Error(
      `port ${port}: its rules change between allow and deny too often for OpenFlow's priorities`,
    )
  return fromLast.reverse()
}

function isAllow(rule: Rule): boolean {
  return rule.verdict === 'allow'
}

/** Matches of a rule: whom it speaks of, times what; without the NIC. */
function matchesOf(rule: Rule, place: Place): readonly Match[] {
  return rule.services.flatMap((service) => {
    const inBoth = bothFamilies(rule, service, place)
    if (inBoth !== undefined) return [inBoth]
    return ([4, 6] as const).flatMap((family) => {
      const peer = peerMatch(rule, family, place)
      if (peer === undefined) return []
      return serviceMatches(service, family).map((match) => ({ ...match, ...peer }))
    })
  })
}

/** One match for both families, where neither address nor protocol needs to be named. */
function bothFamilies({ peer }: Rule, service: ServiceMatch, { membership }: Place): Match | undefined {
  if (service.protocol !== 'any') return undefined
  if (peer === 'any') return {}
  const four = listPeer(peer.name, 4, membership)
  const six = listPeer(peer.name, 6, membership)
  return four.kind === 'bit' && six.kind === 'bit' ? { member: four.bit } : undefined
}

/** `undefined` when nobody of the family is meant. */
function peerMatch({ peer }: Rule, family: Family, { direction, membership }: Place): Match | undefined {
  if (peer === 'any') return {}
  const listed = listPeer(peer.name, family, membership)
  switch (listed.kind) {
    case 'nobody':
      return undefined
    case 'prefix':
      return addressIn(peerField(direction, family), listed.prefix)
    case 'bit':
      return { member: listed.bit }
  }
}

function listPeer(list: string, family: Family, membership: Membership): ListPeer {
  const peers = membership.peersByList.get(list)
  if (peers === undefined) throw new Error(`list "${list}" is in no membership`)
  return peers[family]
}

function serviceMatches(service: ServiceMatch, family: Family): readonly Match[] {
  switch (service.protocol) {
    case 'any':
      return [{ protocol: family === 4 ? 'ip' : 'ipv6' }]
    case 'number':
      return [protocolMatch(service.number, family)]
    case 'tcp':
    case 'udp':
    case 'sctp': {
      const protocol: Protocol = family === 4 ? service.protocol : `${service.protocol}6`
      return masksOf(service.sourcePorts).flatMap((source) =>
        masksOf(service.ports).map((destination) => ({
          protocol,
          ...(source === undefined ? {} : { tp_src: source }),
          ...(destination === undefined ? {} : { tp_dst: destination }),
        })),
      )
    }
    case 'icmp':
    case 'icmp6':
      return (service.protocol === 'icmp') === (family === 4)
        ? [
            {
              protocol: service.protocol,
              ...(service.type === undefined ? {} : { icmp_type: service.type }),
              ...(service.code === undefined ? {} : { icmp_code: service.code }),
            },
          ]
        : []
  }
}

/** IP protocols that ovs-ofctl prints as a keyword; the others as `nw_proto`. */
const keywords: Readonly<Record<Family, ReadonlyMap<number, Protocol>>> = {
  4: new Map([
    [1, 'icmp'],
    [6, 'tcp'],
    [17, 'udp'],
    [132, 'sctp'],
  ]),
  6: new Map([
    [6, 'tcp6'],
    [17, 'udp6'],
    [58, 'icmp6'],
    [132, 'sctp6'],
  ]),
}

function protocolMatch(number: number, family: Family): Match {
  const keyword = keywords[family].get(number)
  return keyword === undefined
    ? { protocol: family === 4 ? 'ip' : 'ipv6', nw_proto: number }
    : { protocol: keyword }
}

/** `undefined` is every port. */
function masksOf(ranges: readonly PortRange[]): readonly (PortMask | undefined)[] {
  if (ranges.length === 0) return [undefined]
  return ranges.flatMap(portMasks).map((mask) => (mask.mask === 0 ? undefined : mask))
}
