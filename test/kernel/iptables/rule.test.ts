import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatProtocol, parseProtocol } from '../../../src/kernel/iptables/protocols.ts'
import {
  type Match,
  type Rule,
  type Target,
  formatRule,
  parseRule,
} from '../../../src/kernel/iptables/rule.ts'
import type { PortRange } from '../../../src/net/port.ts'
import { prefix } from './models.ts'

const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]{0,13}$/)
const range: fc.Arbitrary<PortRange> = fc
  .tuple(fc.integer({ min: 0, max: 65_535 }), fc.integer({ min: 0, max: 65_535 }))
  .map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }))
const end = fc.constantFrom('source' as const, 'destination' as const)

const match: fc.Arbitrary<Match> = fc.oneof(
  fc.record({ kind: fc.constant('physdev' as const), in: name }),
  fc.record({
    kind: fc.constant('physdev' as const),
    out: name.map((one) => `${one}+`),
    bridged: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('state' as const),
    state: fc.constantFrom('INVALID' as const, 'RELATED' as const),
  }),
  fc.record({
    kind: fc.constant('state' as const),
    state: fc.constant('ESTABLISHED' as const),
    direction: fc.constant('REPLY' as const),
  }),
  fc.record({
    kind: fc.constant('ports' as const),
    protocol: fc.constantFrom('tcp' as const, 'sctp' as const),
    source: range,
  }),
  fc.record({
    kind: fc.constant('ports' as const),
    protocol: fc.constant('udp' as const),
    source: range,
    destination: range,
  }),
  fc.record({
    kind: fc.constant('multiport' as const),
    end,
    ports: fc.array(range, { minLength: 1, maxLength: 7 }),
  }),
  fc.record({
    kind: fc.constant('icmp' as const),
    protocol: fc.constantFrom('icmp' as const, 'icmp6' as const),
    type: fc.nat(254),
  }),
  fc.record({
    kind: fc.constant('icmp' as const),
    protocol: fc.constant('icmp6' as const),
    type: fc.nat(254),
    code: fc.nat(255),
  }),
  fc.record({ kind: fc.constant('hop limit' as const), hops: fc.nat(255) }),
  fc.record({ kind: fc.constant('set' as const), name: fc.constant('gw-4-0123456789abcdef'), end }),
)
const target: fc.Arbitrary<Target> = fc.oneof(
  fc.record({ kind: fc.constantFrom('accept' as const, 'drop' as const, 'return' as const) }),
  fc.record({ kind: fc.constant('reject' as const), answer: fc.constant('icmp-port-unreachable') }),
  fc.record({
    kind: fc.constantFrom('jump' as const, 'goto' as const),
    chain: name.map((one) => `gw-o-${one}`),
  }),
)
const rule: fc.Arbitrary<Rule> = fc.record(
  {
    source: prefix,
    destination: prefix,
    input: name,
    output: name,
    protocol: fc.integer({ min: 1, max: 255 }),
    matches: fc.array(match, { maxLength: 3 }),
    comment: fc.constantFrom('gw:0123456789ab', 'gw:reply', 'gitwall'),
    target,
  },
  { requiredKeys: ['matches', 'comment', 'target'] },
)

describe('a rule', () => {
  test('reads back as what was written', () => {
    fc.assert(
      fc.property(rule, (one) => {
        expect(parseRule(formatRule(one))).toEqual(one)
      }),
    )
  })

  test.each([
    ['-p vrrp -m comment --comment "gw:x" -j ACCEPT', '-p 112 -m comment --comment "gw:x" -j ACCEPT'],
    [
      '-s ::1.2.3.4/128 -m comment --comment "gw:x" -j DROP',
      '-s ::102:304/128 -m comment --comment "gw:x" -j DROP',
    ],
  ])('%s is spelled %s', (printed, ours) => {
    const parsed = parseRule(printed)
    expect(parsed && formatRule(parsed)).toBe(ours)
  })

  test.each([
    '-m comment --comment "gw:x" -j LOG --log-prefix "a"',
    '! -s 10.0.0.0/8 -m comment --comment "gw:x" -j ACCEPT',
    '-p tcp -m tcp ! --dport 22 -m comment --comment "gw:x" -j ACCEPT',
    '-m comment --comment "gw:\\"x" -j ACCEPT',
    '-m comment --comment "gw:x" -j ACCEPT --extra',
    '-j ACCEPT',
    '',
  ])('outside the vocabulary is not half understood: %s', (text) => {
    expect(parseRule(text)).toBeUndefined()
  })

  test('names its protocol by number wherever /etc/protocols could have a say', () => {
    expect([1, 6, 17, 47, 58, 112, 132].map(formatProtocol)).toEqual([
      'icmp',
      'tcp',
      'udp',
      '47',
      'ipv6-icmp',
      '112',
      'sctp',
    ])
    expect(['gre', '47', 'ipv6-icmp', '256', 'nonsense'].map(parseProtocol)).toEqual([
      47,
      47,
      58,
      undefined,
      undefined,
    ])
  })
})
