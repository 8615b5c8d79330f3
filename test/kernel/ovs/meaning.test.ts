import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HostFacts } from '../../../src/kernel/facts.ts'
import { ovs } from '../../../src/kernel/ovs/backend.ts'
import type { Packet } from '../../../src/meaning/packet.ts'
import { judge } from '../../../src/meaning/policy.ts'
import type { HostModel, Nic } from '../../../src/model/model.ts'
import { type Address, familyOf, parseAddress } from '../../../src/net/address.ts'
import { macOf, hostModels, nicPorts } from './models.ts'
import { type TestSwitch, startSwitch } from './switch.ts'

const strangers = [
  '10.0.0.200',
  '10.9.0.1',
  '192.0.2.7',
  '192.0.2.200',
  '203.0.113.7',
  '198.51.100.1',
  '2001:db8:0:10::99',
  '2001:db8:7::1',
  '::102:304',
  '::7',
  '2001:db9::1',
].map((text) => parseAddress(text) as Address)

let bench: TestSwitch
let facts: HostFacts
beforeAll(() => {
  bench = startSwitch([...nicPorts.filter((port) => port !== 'tap-gone'), 'uplink0'])
  facts = bench.facts()
})
afterAll(() => bench.stop())

/** Ports where a rule's ranges begin, end, or have just ended: a wrong mask shows there. */
function telling(host: HostModel): readonly number[] {
  const services = host.nics
    .flatMap((nic) => [...nic.inbound.rules, ...nic.outbound.rules])
    .flatMap((rule) => rule.services)
  const ranges = services.flatMap((one) => ('ports' in one ? [...one.ports, ...one.sourcePorts] : []))
  const ports = ranges.flatMap(({ first, last }) => [first - 1, first, last, last + 1])
  // DHCP needs no rule, and is none of this test's business.
  return [...new Set([...ports, 80, 4000])].filter(
    (port) => port >= 0 && port <= 65535 && ![67, 68, 546, 547].includes(port),
  )
}

type Bare = Omit<Packet, 'source' | 'destination'>

function bare(host: HostModel): fc.Arbitrary<Bare> {
  const port = fc.constantFrom(...telling(host))
  const types = host.nics
    .flatMap((nic) => [...nic.inbound.rules, ...nic.outbound.rules])
    .flatMap((rule) => rule.services)
    .flatMap((one) => ('type' in one && one.type !== undefined ? [one.type] : []))
    .filter((type) => type < 130 || type > 143)
  return fc.oneof(
    fc
      .tuple(fc.constantFrom(6, 17, 132), port, port)
      .map(([protocol, sourcePort, destinationPort]): Bare => ({ protocol, sourcePort, destinationPort })),
    fc
      .tuple(fc.constantFrom(1, 58), fc.constantFrom(8, 128, ...types), fc.integer({ min: 0, max: 3 }))
      .map(([protocol, icmpType, icmpCode]): Bare => ({ protocol, icmpType, icmpCode })),
    fc.constantFrom(47, 50, 112).map((protocol): Bare => ({ protocol })),
  )
}

/** A packet and the NICs at its ends; without one, that end is outside. */
interface Case {
  readonly packet: Packet
  readonly sender: Nic | undefined
  readonly receiver: Nic | undefined
}

const hosts = hostModels.map(
  (host): HostModel => ({
    ...host,
    bridges: host.bridges.map((bridge) => ({ ...bridge, uplinks: ['uplink0'], unmanaged: 'drop' })),
    nics: host.nics.filter((nic) => nic.port !== 'tap-gone' && nic.addresses.length > 0),
  }),
)

function cases(host: HostModel): fc.Arbitrary<Case> {
  const end = fc.constantFrom(...host.nics)
  return fc
    .tuple(end, fc.option(end, { nil: undefined }), fc.boolean(), bare(host), fc.nat(), fc.nat())
    .map(([nic, other, isSender, rest, one, two]): Case | undefined => {
      const peer = other?.network.name === nic.network.name && other !== nic ? other : undefined
      const mine = nic.addresses[one % nic.addresses.length] as Address
      const theirs = (peer?.addresses ?? strangers).filter((address) => familyOf(address) === familyOf(mine))
      const theirOne = theirs[two % theirs.length]
      const family = rest.protocol === 1 ? 4 : rest.protocol === 58 ? 6 : familyOf(mine)
      if (theirOne === undefined || family !== familyOf(mine)) return undefined
      return isSender
        ? { packet: { ...rest, source: mine, destination: theirOne }, sender: nic, receiver: peer }
        : { packet: { ...rest, source: theirOne, destination: mine }, sender: peer, receiver: nic }
    })
    .filter((one) => one !== undefined)
}

const outside = '52:54:00:00:99:99'

/** The packet in the syntax of ovs-ofctl(8). */
function syntax({ packet, sender, receiver }: Case): string {
  const six = familyOf(packet.source) === 6
  const tag =
    sender === undefined && receiver?.network.vlan !== undefined ? [`dl_vlan=${receiver.network.vlan}`] : []
  const names: Readonly<Record<number, string>> = {
    1: 'icmp',
    6: 'tcp',
    17: 'udp',
    58: 'icmpv6',
    132: 'sctp',
  }
  const name = names[packet.protocol]
  return [
    `dl_type=${six ? '0x86dd' : '0x0800'}`,
    `nw_proto=${packet.protocol}`,
    ...tag,
    `dl_src=${sender === undefined ? outside : macOf(sender.port)}`,
    `dl_dst=${receiver === undefined ? outside : macOf(receiver.port)}`,
    `${six ? 'ipv6_src' : 'nw_src'}=${packet.source}`,
    `${six ? 'ipv6_dst' : 'nw_dst'}=${packet.destination}`,
    ...(packet.sourcePort === undefined ? [] : [`${name}_src=${packet.sourcePort}`]),
    ...(packet.destinationPort === undefined ? [] : [`${name}_dst=${packet.destinationPort}`]),
    ...(packet.icmpType === undefined ? [] : [`${name}_type=${packet.icmpType}`]),
    ...(packet.icmpCode === undefined ? [] : [`${name}_code=${packet.icmpCode}`]),
  ].join(',')
}

describe('the flows of any policy', () => {
  test('let a first packet through exactly where the policy does', () => {
    const seen = { allow: 0, deny: 0 }
    fc.assert(
      fc.property(
        hosts
          .filter((host) => host.nics.length > 0)
          .chain((host) =>
            fc.tuple(fc.constant(host), fc.array(cases(host), { minLength: 20, maxLength: 20 })),
          ),
        ([host, packets]) => {
          bench.moveTo(ovs.desired(host, facts), facts)
          for (const one of packets) {
            const { verdict } = judge({ hosts: [host], rules: new Map() }, one.packet)
            const wanted = one.receiver?.port ?? 'uplink0'
            const got = bench
              .receivers(one.sender?.port ?? 'uplink0', syntax(one), 'trk,new')
              .map((name) => name.replace(/ tagged.*/, ''))
              .filter((name) => name !== 'LOCAL')
            seen[verdict === 'allow' ? 'allow' : 'deny']++
            expect([syntax(one), got]).toEqual([syntax(one), verdict === 'allow' ? [wanted] : []])
          }
        },
      ),
      { numRuns: Number(process.env['RUNS'] ?? 8), endOnFailure: true },
    )
    // Otherwise this test would say nothing.
    expect(Math.min(seen.allow, seen.deny)).toBeGreaterThan(10)
  })
})
