import fc from 'fast-check'
import type { AddressList, Model, Nic, Rule, RuleId, Ruleset } from '../../src/model/model.ts'
import type { Address } from '../../src/net/address.ts'
import type { Mac } from '../../src/net/mac.ts'
import { type Prefix, aggregate } from '../../src/net/prefix.ts'
import type { ServiceMatch } from '../../src/repo/repo.ts'

/** Where guests live in the models of these tests; no list of theirs reaches it. */
export const guestAddress = { 4: '10.99.0.1' as Address, 6: '2001:db8:99::1' as Address }
export const hostAddress = '10.99.0.2' as Address

const prefixes = [
  '0.0.0.0/0',
  '::/0',
  '10.0.0.0/8',
  '10.0.0.0/24',
  '10.0.0.0/31',
  '10.0.0.2/32',
  '203.0.113.0/25',
  '203.0.113.128/25',
  '255.255.255.255/32',
  '2001:db8::/32',
  '2001:db8::/64',
  '2001:db8::7/128',
  'ffff::/16',
] as readonly string[] as readonly Prefix[]

const list = (name: string): fc.Arbitrary<AddressList> =>
  fc
    .uniqueArray(fc.constantFrom(...prefixes), { maxLength: 4 })
    .map((some) => ({ name, prefixes: aggregate(some) }))

const port = fc.constantFrom(0, 1, 22, 23, 443, 65_534, 65_535)
const ranges = fc
  .tuple(port, port)
  .map(([a, b]) => [{ first: Math.min(a, b), last: Math.max(a, b) }])
  .filter(([range]) => range?.first !== 0 || range.last !== 65_535)
const portList = fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 3, arbitrary: ranges })
const byte = fc.constantFrom(0, 3, 8, 128, 255)

const service: fc.Arbitrary<ServiceMatch> = fc.oneof(
  fc.constant<ServiceMatch>({ protocol: 'any' }),
  fc.constantFrom(47, 50).map((number): ServiceMatch => ({ protocol: 'number', number })),
  fc.record({
    protocol: fc.constantFrom('tcp', 'udp'),
    ports: portList,
    sourcePorts: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: ranges }),
  }),
  fc.record({ protocol: fc.constantFrom('icmp', 'icmp6'), type: byte }, { requiredKeys: ['protocol'] }),
  fc.record({ protocol: fc.constantFrom('icmp', 'icmp6'), type: byte, code: byte }),
)

const rule: fc.Arbitrary<Omit<Rule, 'id'>> = fc.record({
  verdict: fc.constantFrom('allow', 'allow', 'deny', 'reject'),
  peer: fc.oneof(fc.constant<'any'>('any'), list('a'), list('b')),
  services: fc.array(service, { minLength: 1, maxLength: 2 }),
})

/** Rules of one direction at one place. */
export const ruleset: fc.Arbitrary<Ruleset> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Ruleset>({ kind: 'unfiltered', rules: [] }) },
  { weight: 9, arbitrary: fc.array(rule, { maxLength: 5 }).map(filtered) },
)

/** A ruleset and another made of it by a small edit: what people do. */
export const edited: fc.Arbitrary<readonly [Ruleset, Ruleset]> = fc
  .tuple(
    fc.array(rule, { minLength: 1, maxLength: 5 }),
    rule,
    fc.nat(4),
    fc.constantFrom('put', 'peer', 'cut', 'swap', 'add'),
  )
  .map(([rules, other, at, edit]) => {
    const index = at % rules.length
    const changed = [...rules]
    if (edit === 'put') changed[index] = other
    else if (edit === 'peer') changed[index] = { ...(rules[index] ?? other), peer: other.peer }
    else if (edit === 'cut') changed.splice(index, 1)
    else if (edit === 'add') changed.splice(index, 0, other)
    else changed.reverse()
    return [filtered(rules), filtered(changed)]
  })

function filtered(rules: readonly Omit<Rule, 'id'>[]): Ruleset {
  return { kind: 'filtered', rules: rules.map((one, index) => ({ ...one, id: `rule-${index}` as RuleId })) }
}

export const unfiltered: Ruleset = { kind: 'unfiltered', rules: [] }

/** A model of one guest on one hypervisor. */
export function modelOf(parts: {
  readonly guest?: { readonly inbound: Ruleset; readonly outbound: Ruleset }
  readonly own?: { readonly inbound: Ruleset; readonly outbound: Ruleset }
  readonly management?: readonly Prefix[]
}): Model {
  const nic: Nic = {
    guest: 'g',
    port: 'tap1',
    bridge: 'br0',
    network: { name: 'lan', zone: 1 },
    mac: '52:54:00:00:00:01' as Mac,
    addresses: [guestAddress[4], guestAddress[6]],
    antispoof: true,
    sources: [],
    dhcpServer: false,
    routerAdvertisements: false,
    inbound: parts.guest?.inbound ?? unfiltered,
    outbound: parts.guest?.outbound ?? unfiltered,
  }
  return {
    hosts: [
      {
        name: 'hv',
        connection: { host: hostAddress, become: false },
        bridges: [],
        nics: [nic],
        own: parts.own ?? { inbound: unfiltered, outbound: unfiltered },
        management: parts.management ?? [],
        lists: [],
      },
    ],
    rules: new Map(),
  }
}
