import fc from 'fast-check'
import type {
  AddressList,
  Bridge,
  HostModel,
  Network,
  Nic,
  Rule,
  RuleId,
  Ruleset,
} from '../../../src/model/model.ts'
import { type Address, familyOf, parseAddress } from '../../../src/net/address.ts'
import { type Mac, linkLocal } from '../../../src/net/mac.ts'
import { type PortRange, mergePorts } from '../../../src/net/port.ts'
import { type Prefix, aggregate, hostPrefix, parsePrefix } from '../../../src/net/prefix.ts'
import type { ServiceMatch } from '../../../src/repo/repo.ts'

/** Ports that the random models speak of; the last is on no switch. */
export const nicPorts = ['tap101i0', 'tap102i0', 'vnet7', 'tap-gone'] as const
/** Further ports that the test's switch has. */
export const otherPorts = ['uplink0', 'uplink1', 'tap-else'] as const

export const networks: readonly Network[] = [
  { name: 'flat', zone: 0x4001 },
  { name: 'ten', zone: 0x4002, vlan: 10 },
  { name: 'twenty', zone: 0x7fff, vlan: 20 },
]

/** Prefixes that contain, touch and equal each other; some are spelled in a way of their own by the C library. */
const prefixes = [
  '0.0.0.0/0',
  '10.0.0.0/8',
  '10.0.0.0/24',
  '10.0.0.11/32',
  '10.0.0.12/32',
  '192.0.2.0/25',
  '203.0.113.7/32',
  '::/0',
  '2001:db8::/32',
  '2001:db8:0:10::/64',
  '2001:db8:0:10::11/128',
  '::102:304/128',
  '::7/128',
  'fe80::/10',
].map((text) => parsePrefix(text) as Prefix)

const ruleIdOf = fc
  .bigInt({ min: 0x10000n, max: (1n << 48n) - 1n })
  .map((id) => id.toString(16).padStart(12, '0') as RuleId)

const port = fc.oneof(fc.integer({ min: 0, max: 65535 }), fc.constantFrom(22, 53, 80, 443))
const ranges = fc
  .array(fc.tuple(port, port), { maxLength: 2 })
  .map((pairs) =>
    mergePorts(pairs.map(([a, b]): PortRange => ({ first: Math.min(a, b), last: Math.max(a, b) }))),
  )

const service: fc.Arbitrary<ServiceMatch> = fc.oneof(
  fc.constant<ServiceMatch>({ protocol: 'any' }),
  fc
    .oneof(fc.constantFrom(1, 6, 17, 58, 132), fc.integer({ min: 0, max: 255 }))
    .map((number): ServiceMatch => ({ protocol: 'number', number })),
  fc
    .tuple(
      fc.constantFrom('tcp', 'udp', 'sctp'),
      ranges,
      fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, ranges),
    )
    .map(([protocol, ports, sourcePorts]): ServiceMatch => ({ protocol, ports, sourcePorts })),
  fc
    .tuple(
      fc.constantFrom('icmp', 'icmp6'),
      fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }),
      fc.option(fc.integer({ min: 0, max: 15 }), { nil: undefined }),
    )
    .map(
      ([protocol, type, code]): ServiceMatch => ({
        protocol,
        ...(type === undefined ? {} : { type }),
        ...(type === undefined || code === undefined ? {} : { code }),
      }),
    ),
)

/** Five lists with one content each for a whole model, as `HostModel.lists` promises. */
const lists: fc.Arbitrary<readonly AddressList[]> = fc
  .array(fc.subarray(prefixes, { maxLength: 5 }), { minLength: 5, maxLength: 5 })
  .map((contents) =>
    contents.map((content, index) => ({ name: `set:${index}`, prefixes: aggregate(content) })),
  )

function rule(known: readonly AddressList[]): fc.Arbitrary<Rule> {
  return fc.record({
    id: ruleIdOf,
    verdict: fc.constantFrom('allow', 'allow', 'deny', 'reject'),
    peer: fc.oneof(fc.constant<'any'>('any'), fc.constantFrom(...known)),
    services: fc.array(service, { minLength: 1, maxLength: 3 }),
  })
}

function ruleset(known: readonly AddressList[]): fc.Arbitrary<Ruleset> {
  return fc.oneof(
    { weight: 1, arbitrary: fc.constant<Ruleset>({ kind: 'unfiltered', rules: [] }) },
    {
      weight: 4,
      arbitrary: fc
        .array(rule(known), { maxLength: 5 })
        .map((rules): Ruleset => ({ kind: 'filtered', rules })),
    },
  )
}

/** MAC of the NIC at a port of `nicPorts`. */
export function macOf(portName: string): Mac {
  return `52:54:00:00:00:${(nicPorts as readonly string[]).indexOf(portName).toString(16).padStart(2, '0')}` as Mac
}

/** Addresses of the NIC at a port of `nicPorts`: one of each family. */
export function addressesOf(portName: string): readonly Address[] {
  const index = 11 + (nicPorts as readonly string[]).indexOf(portName)
  return [`10.0.0.${index}`, `2001:db8:0:10::${index}`].map((text) => parseAddress(text) as Address)
}

const floating = { mac: '00:00:5e:00:01:07' as Mac, prefix: parsePrefix('10.0.0.100') as Prefix }

function nic(portName: string, known: readonly AddressList[]): fc.Arbitrary<Nic> {
  return fc
    .record({
      network: fc.constantFrom(...networks),
      families: fc.subarray([4, 6]),
      isFloating: fc.boolean(),
      antispoof: fc.oneof(fc.constant(true), fc.boolean()),
      dhcpServer: fc.boolean(),
      routerAdvertisements: fc.boolean(),
      inbound: ruleset(known),
      outbound: ruleset(known),
    })
    .map(({ families, isFloating, ...rest }): Nic => {
      const mac = macOf(portName)
      const addresses = addressesOf(portName).filter((address) => families.includes(familyOf(address)))
      const sources = [...addresses, linkLocal(mac)].map((address) => ({ mac, prefix: hostPrefix(address) }))
      return {
        guest: `guest-${portName}`,
        port: portName,
        bridge: 'br0',
        mac,
        addresses,
        sources: isFloating ? [...sources, floating] : sources,
        ...rest,
      }
    })
}

const bridge: fc.Arbitrary<Bridge> = fc.record({
  name: fc.constant('br0'),
  datapath: fc.constant('ovs'),
  uplinks: fc.constantFrom([], ['uplink0'], ['uplink0', 'uplink1', 'uplink-gone']),
  unmanaged: fc.constantFrom('leave', 'drop'),
})

/** Hosts with one Open vSwitch bridge `br0` and NICs at some of `nicPorts`. */
export const hostModels: fc.Arbitrary<HostModel> = fc
  .tuple(lists, fc.subarray([...nicPorts]), bridge)
  .chain(([known, ports, oneBridge]) =>
    fc.tuple(...ports.map((name) => nic(name, known))).map((nics) => hostModel(nics, [oneBridge], known)),
  )

/** A host of an inventory with nothing but these NICs. */
export function hostModel(
  nics: readonly Nic[],
  bridges: readonly Bridge[],
  known: readonly AddressList[] = [],
): HostModel {
  const unfiltered: Ruleset = { kind: 'unfiltered', rules: [] }
  return {
    name: 'hv-1',
    connection: { become: false },
    bridges,
    nics,
    own: { inbound: unfiltered, outbound: unfiltered },
    management: [],
    lists: known,
  }
}
