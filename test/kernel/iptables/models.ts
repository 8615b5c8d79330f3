import fc from 'fast-check'
import type { AddressList, Bridge, HostModel, Nic, Rule, RuleId, Ruleset } from '../../../src/model/model.ts'
import { type Address, formatAddress } from '../../../src/net/address.ts'
import { type Mac, linkLocal } from '../../../src/net/mac.ts'
import { type PortRange, mergePorts } from '../../../src/net/port.ts'
import { type Prefix, aggregate, hostPrefix, maskHostBits } from '../../../src/net/prefix.ts'
import type { ServiceMatch } from '../../../src/repo/repo.ts'

const mac: fc.Arbitrary<Mac> = fc
  .integer({ min: 0, max: 0xffff })
  .map(
    (n) =>
      `52:54:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}` as Mac,
  )
const v4 = fc.oneof(
  fc.constantFrom(0x0a000001n, 0x0a00000bn, 0n, 0xffffffffn),
  fc.bigInt(0n, (1n << 32n) - 1n),
)
const v6 = fc.oneof(
  fc.constantFrom(0x20010db8n << 96n, (0x20010db8n << 96n) + 1n, 1n, 0x01020304n),
  fc.bigInt(0n, (1n << 128n) - 1n).filter((value) => value >> 32n !== 0xffffn),
)

const address: fc.Arbitrary<Address> = fc.oneof(
  v4.map((value) => formatAddress(value, 4)),
  v6.map((value) => formatAddress(value, 6)),
)

export const prefix: fc.Arbitrary<Prefix> = fc.oneof(
  fc
    .tuple(v4, fc.integer({ min: 0, max: 32 }))
    .map(([value, bits]) => maskHostBits(`${formatAddress(value, 4)}/${bits}`) as Prefix),
  fc
    .tuple(v6, fc.integer({ min: 0, max: 128 }))
    .filter(([, bits]) => bits < 80 || bits > 96)
    .map(([value, bits]) => maskHostBits(`${formatAddress(value, 6)}/${bits}`) as Prefix),
)

const list: fc.Arbitrary<AddressList> = fc
  .tuple(
    fc.constantFrom('group:app', 'set:office', 'guest:db-1', 'rule:0123456789ab'),
    fc.array(prefix, { maxLength: 5 }),
  )
  .map(([name, prefixes]) => ({ name: `${name}/${prefixes.length}`, prefixes: aggregate(prefixes) }))

const range: fc.Arbitrary<PortRange> = fc.oneof(
  fc.constantFrom({ first: 443, last: 443 }, { first: 0, last: 65_535 }, { first: 9000, last: 9010 }),
  fc
    .tuple(fc.integer({ min: 0, max: 65_535 }), fc.integer({ min: 0, max: 65_535 }))
    .map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) })),
)
const ranges = (maxLength: number) => fc.array(range, { maxLength }).map((list) => mergePorts(list))
const singles = fc
  .array(fc.integer({ min: 1, max: 60_000 }), { maxLength: 40 })
  .map((list) => mergePorts(list.map((port) => ({ first: port, last: port }))))

const service: fc.Arbitrary<ServiceMatch> = fc.oneof(
  fc.constant({ protocol: 'any' as const }),
  fc.integer({ min: 1, max: 255 }).map((number) => ({ protocol: 'number' as const, number })),
  fc.record({
    protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'sctp' as const),
    ports: fc.oneof(ranges(4), singles),
    sourcePorts: fc.oneof(fc.constant([]), ranges(2)),
  }),
  fc.record(
    {
      protocol: fc.constantFrom('icmp' as const, 'icmp6' as const),
      type: fc.integer({ min: 0, max: 254 }),
      code: fc.integer({ min: 0, max: 255 }),
    },
    { requiredKeys: ['protocol', 'type'] },
  ),
  fc.record({ protocol: fc.constantFrom('icmp' as const, 'icmp6' as const) }),
)

const ruleId = fc.integer({ min: 0, max: 2 ** 47 }).map((n) => n.toString(16).padStart(12, '0') as RuleId)

const rule: fc.Arbitrary<Rule> = fc.record({
  id: ruleId,
  verdict: fc.constantFrom('allow', 'deny', 'reject'),
  peer: fc.oneof(fc.constant('any' as const), list),
  services: fc.array(service, { minLength: 1, maxLength: 3 }),
})

const ruleset: fc.Arbitrary<Ruleset> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ kind: 'unfiltered' as const, rules: [] }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('filtered' as const), rules: fc.array(rule, { maxLength: 6 }) }),
  },
)

const port = fc.oneof(
  fc.integer({ min: 100, max: 160 }).map((n) => `tap${n}i0`),
  fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]{0,14}$/),
)

const nic: fc.Arbitrary<Nic> = fc
  .record({
    port,
    mac,
    addresses: fc.array(address, { maxLength: 3 }),
    pairs: fc.array(fc.record({ mac, prefix }), { maxLength: 2 }),
    antispoof: fc.boolean(),
    dhcpServer: fc.boolean(),
    routerAdvertisements: fc.boolean(),
    inbound: ruleset,
    outbound: ruleset,
  })
  .map(({ pairs, ...nic }) => ({
    ...nic,
    guest: 'web-1',
    bridge: 'vmbr0',
    network: { name: 'shop', zone: 0x4001 },
    sources: [
      ...nic.addresses.map((one) => ({ mac: nic.mac, prefix: hostPrefix(one) })),
      { mac: nic.mac, prefix: hostPrefix(linkLocal(nic.mac)) },
      ...pairs,
    ],
  }))

/** Any host with one Linux bridge, as the resolver could have made it. */
export const hostModel: fc.Arbitrary<HostModel> = fc
  .record({
    bridge: fc.record({
      uplinks: fc.constantFrom([], ['eth0'], ['eth0', 'bond1.7']),
      unmanaged: fc.constantFrom('leave' as const, 'drop' as const),
    }),
    nics: fc.uniqueArray(nic, { selector: (one) => one.port, maxLength: 14 }),
    own: fc.record({ inbound: ruleset, outbound: ruleset }),
    management: fc.array(prefix, { maxLength: 3 }).map((list) => aggregate(list)),
  })
  .map(({ bridge, nics, own, management }) =>
    makeHost({ bridge: { name: 'vmbr0', datapath: 'linux', ...bridge }, nics, own, management }),
  )

/** A host model from its parts; the lists are those its rules name, one content for each name. */
export function makeHost(parts: {
  readonly bridge?: Bridge
  readonly nics?: readonly Nic[]
  readonly own?: HostModel['own']
  readonly management?: readonly Prefix[]
}): HostModel {
  const unfiltered: Ruleset = { kind: 'unfiltered', rules: [] }
  const { inbound, outbound } = parts.own ?? { inbound: unfiltered, outbound: unfiltered }
  const byName = new Map<string, AddressList>()
  const withOneContent = (one: Ruleset): Ruleset => ({
    ...one,
    rules: one.rules.map((rule) => {
      if (rule.peer === 'any') return rule
      const known = byName.get(rule.peer.name) ?? rule.peer
      byName.set(known.name, known)
      return { ...rule, peer: known }
    }),
  })
  const nics = (parts.nics ?? []).map((nic) => ({
    ...nic,
    inbound: withOneContent(nic.inbound),
    outbound: withOneContent(nic.outbound),
  }))
  const own = { inbound: withOneContent(inbound), outbound: withOneContent(outbound) }
  return {
    name: 'hv-1',
    connection: { become: false },
    bridges: [parts.bridge ?? { name: 'vmbr0', datapath: 'linux', uplinks: [], unmanaged: 'leave' }],
    nics,
    own,
    management: parts.management ?? [],
    lists: [...byName.values()],
  }
}
