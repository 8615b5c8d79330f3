import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type MeaningChange, difference } from '../../src/meaning/difference.ts'
import type { Packet } from '../../src/meaning/packet.ts'
import { judge } from '../../src/meaning/policy.ts'
import { areaOf } from '../../src/meaning/space-services.ts'
import type { Direction, Model, Ruleset } from '../../src/model/model.ts'
import { type Address, familyOf } from '../../src/net/address.ts'
import { representatives } from '../../src/net/boundary.ts'
import { type Prefix, contains } from '../../src/net/prefix.ts'
import type { ServiceMatch } from '../../src/repo/repo.ts'
import { edited, guestAddress, hostAddress, modelOf, ruleset, unfiltered } from './models.ts'

/** Every address that the rulesets' own constants tell apart, without those of the model's own places. */
function peersOf(rulesets: readonly Ruleset[], more: readonly Prefix[] = []): readonly Address[] {
  const known = [
    ...more,
    ...rulesets.flatMap(({ rules }) => rules.flatMap(({ peer }) => (peer === 'any' ? [] : peer.prefixes))),
  ]
  const own: readonly string[] = [guestAddress[4], guestAddress[6], hostAddress]
  return [
    ...representatives('0.0.0.0/0' as Prefix, known),
    ...representatives('::/0' as Prefix, known),
  ].filter((address) => !own.includes(address))
}

/** Every protocol, port, type and code that the rulesets' own constants tell apart. */
function headersOf(rulesets: readonly Ruleset[]): readonly Omit<Packet, 'source' | 'destination'>[] {
  const services = rulesets.flatMap(({ rules }) => rules.flatMap((rule) => rule.services))
  const numbers = [47, 50, 253, ...services.flatMap((one) => (one.protocol === 'number' ? [one.number] : []))]
  return [
    ...[...new Set(numbers)].map((protocol) => ({ protocol })),
    ...(['tcp', 'udp', 'sctp'] as const).flatMap((name) => headersWithPorts(name, services)),
    ...(['icmp', 'icmp6'] as const).flatMap((name) => headersOfIcmp(name, services)),
  ]
}

function headersWithPorts(name: 'tcp' | 'udp' | 'sctp', services: readonly ServiceMatch[]) {
  const mine = services.flatMap((one) => (one.protocol === name ? [one] : []))
  const ends = (ranges: readonly { readonly first: number; readonly last: number }[]) => [
    ...new Set([0, ...ranges.flatMap(({ first, last }) => [first, last + 1])].filter((one) => one <= 65_535)),
  ]
  const protocol = { tcp: 6, udp: 17, sctp: 132 }[name]
  return ends(mine.flatMap((one) => one.ports)).flatMap((destinationPort) =>
    ends(mine.flatMap((one) => one.sourcePorts)).map((sourcePort) => ({
      protocol,
      destinationPort,
      sourcePort,
    })),
  )
}

function headersOfIcmp(name: 'icmp' | 'icmp6', services: readonly ServiceMatch[]) {
  const mine = services.flatMap((one) => (one.protocol === name ? [one] : []))
  const ends = (values: readonly (number | undefined)[]) => [
    ...new Set(
      [0, ...values.flatMap((one) => (one === undefined ? [] : [one, one + 1]))].filter((one) => one <= 255),
    ),
  ]
  return ends(mine.map((one) => one.type)).flatMap((icmpType) =>
    ends(mine.map((one) => one.code)).map((icmpCode) => ({
      protocol: name === 'icmp' ? 1 : 58,
      icmpType,
      icmpCode,
    })),
  )
}

function isIn(change: MeaningChange, direction: Direction, peer: Address, packet: Packet): boolean {
  if (!('traffic' in change) || !('services' in change.traffic)) return false
  const { traffic } = change
  const x = packet.destinationPort ?? packet.icmpType ?? 0
  const y = packet.sourcePort ?? packet.icmpCode ?? 0
  return (
    traffic.direction === direction &&
    traffic.peers.some((prefix) => contains(prefix, peer)) &&
    areaOf(traffic.services, packet.protocol).some(
      ({ first, last, ys }) =>
        first <= x && x <= last && ys.some((range) => range.first <= y && y <= range.last),
    )
  )
}

interface Side {
  readonly model: Model
  readonly ruleset: Ruleset
}

/** Compares what is reported with what `judge` says, for every packet that matters. Gives what is reported otherwise. */
function checkExactly(
  before: Side,
  after: Side,
  place: { readonly direction: Direction; readonly here: (peer: Address) => Address | undefined },
  more: readonly Prefix[] = [],
): { readonly packets: number; readonly wrong: readonly object[] } {
  const changes = difference(before.model, after.model)
  const rulesets = [before.ruleset, after.ruleset]
  const wrong: object[] = []
  let packets = 0
  for (const peer of peersOf(rulesets, more)) {
    const here = place.here(peer)
    if (here === undefined) continue
    for (const header of [...headersOf(rulesets), { protocol: 6, destinationPort: 22, sourcePort: 1024 }]) {
      const ends =
        place.direction === 'inbound'
          ? { source: peer, destination: here }
          : { source: here, destination: peer }
      const packet: Packet = { ...ends, ...header }
      const [had, has] = [judge(before.model, packet), judge(after.model, packet)].map(
        ({ verdict }) => verdict === 'allow',
      )
      const reported = changes
        .filter((change) => isIn(change, place.direction, peer, packet))
        .map(({ kind }) => kind)
      const expected = had === has ? [] : [has === true ? 'opened' : 'closed']
      packets++
      if (JSON.stringify([...new Set(reported)]) !== JSON.stringify(expected))
        wrong.push({ packet, reported, expected })
    }
  }
  return { packets, wrong }
}

const atGuest = (peer: Address): Address => guestAddress[familyOf(peer)]
const atHost = (peer: Address): Address | undefined => (familyOf(peer) === 4 ? hostAddress : undefined)
const pairs = fc.oneof(edited, fc.tuple(ruleset, ruleset))

describe('a packet changes its verdict exactly where the difference says so', () => {
  test('into and out of a guest', () => {
    let packets = 0
    fc.assert(
      fc.property(pairs, fc.constantFrom<Direction>('inbound', 'outbound'), ([old, young], direction) => {
        const side = (one: Ruleset): Side => ({
          model: modelOf({ guest: { inbound: unfiltered, outbound: unfiltered, [direction]: one } }),
          ruleset: one,
        })
        const checked = checkExactly(side(old), side(young), { direction, here: atGuest })
        expect(checked.wrong).toEqual([])
        packets += checked.packets
      }),
      { numRuns: 400 },
    )
    expect(packets).toBeGreaterThan(50_000)
  })

  test('into a hypervisor, whose management floor may change, too', () => {
    const floors = fc.constantFrom<readonly string[]>([], ['10.0.0.0/24'], ['10.0.0.0/23', '2001:db8::/64'])
    fc.assert(
      fc.property(pairs, floors, floors, ([old, young], oldFloor, youngFloor) => {
        const side = (one: Ruleset, floor: readonly string[]): Side => ({
          model: modelOf({
            own: { inbound: one, outbound: unfiltered },
            management: floor as readonly Prefix[],
          }),
          ruleset: one,
        })
        const more = [...oldFloor, ...youngFloor] as readonly string[] as readonly Prefix[]
        const { wrong } = checkExactly(
          side(old, oldFloor),
          side(young, youngFloor),
          { direction: 'inbound', here: atHost },
          more,
        )
        expect(wrong).toEqual([])
      }),
      { numRuns: 150 },
    )
  })
})

test('equal rules, and rules under other names, mean no change', () => {
  fc.assert(
    fc.property(ruleset, (one) => {
      const copy = structuredClone(one)
      const renamed = {
        ...copy,
        rules: copy.rules.map((rule) => ({ ...rule, id: 'other' as typeof rule.id })),
      }
      const model = (inbound: Ruleset) => modelOf({ guest: { inbound, outbound: unfiltered } })
      expect(difference(model(one), model(renamed))).toEqual([])
    }),
    { numRuns: 100 },
  )
})
