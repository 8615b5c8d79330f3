import { describe, expect, test } from 'vitest'
import { formatRule } from '../../../src/kernel/iptables/rule.ts'
import { rulesOf } from '../../../src/kernel/iptables/services.ts'
import { setName } from '../../../src/kernel/set-name.ts'
import type { Rule, RuleId } from '../../../src/model/model.ts'
import type { Family } from '../../../src/net/address.ts'
import type { Prefix } from '../../../src/net/prefix.ts'
import type { ServiceMatch } from '../../../src/repo/repo.ts'

const tail = '-m comment --comment "gw:0123456789ab" -j ACCEPT'

function rendered(rule: Partial<Rule>, family: Family = 4): readonly string[] {
  const whole: Rule = {
    id: '0123456789ab' as RuleId,
    verdict: 'allow',
    peer: 'any',
    services: [{ protocol: 'any' }],
    ...rule,
  }
  return rulesOf(whole, { family, peerEnd: 'source', target: { kind: 'accept' } }).map(formatRule)
}

function tcp(...ports: readonly (readonly [number, number])[]): ServiceMatch {
  return { protocol: 'tcp', ports: ports.map(([first, last]) => ({ first, last })), sourcePorts: [] }
}

describe('a policy rule on a chain', () => {
  test('of everything is one rule without a protocol', () => {
    expect(rendered({})).toEqual([tail])
    expect(rendered({ services: [tcp([80, 80]), { protocol: 'any' }] })).toEqual([tail])
  })

  test('of several services of one protocol is one rule', () => {
    expect(rendered({ services: [tcp([80, 80]), tcp([443, 443])] })).toEqual([
      `-p tcp -m multiport --dports 80,443 ${tail}`,
    ])
    expect(rendered({ services: [tcp([80, 80]), tcp([81, 90])] })).toEqual([
      `-p tcp -m tcp --dport 80:90 ${tail}`,
    ])
    expect(rendered({ services: [tcp([80, 80]), tcp()] })).toEqual([`-p tcp ${tail}`])
  })

  test('of many ports is cut where multiport ends', () => {
    const ports = Array.from({ length: 16 }, (_, n) => [n * 10, n * 10] as const)
    expect(rendered({ services: [tcp(...ports)] })).toEqual([
      `-p tcp -m multiport --dports 0,10,20,30,40,50,60,70,80,90,100,110,120,130,140 ${tail}`,
      `-p tcp -m multiport --dports 150 ${tail}`,
    ])
    const ranges = Array.from({ length: 8 }, (_, n) => [n * 10, n * 10 + 1] as const)
    expect(rendered({ services: [tcp(...ranges)] })).toEqual([
      `-p tcp -m multiport --dports 0:1,10:11,20:21,30:31,40:41,50:51,60:61 ${tail}`,
      `-p tcp -m multiport --dports 70:71 ${tail}`,
    ])
  })

  test('speaks of a list by its one prefix, by a set, or not at all', () => {
    const list = {
      name: 'set:a',
      prefixes: ['10.0.0.0/8', '2001:db8::/32', '2001:db9::/32'] as unknown as Prefix[],
    }
    expect(rendered({ peer: list })).toEqual([`-s 10.0.0.0/8 ${tail}`])
    expect(rendered({ peer: list }, 6)).toEqual([`-m set --match-set ${setName('set:a', 6)} src ${tail}`])
    expect(rendered({ peer: { name: 'set:a', prefixes: list.prefixes.slice(0, 1) } }, 6)).toEqual([])
    expect(rendered({ peer: { name: 'set:a', prefixes: ['0.0.0.0/0' as Prefix] } })).toEqual([tail])
  })

  test('of ICMP is in the family that has it', () => {
    const services: readonly ServiceMatch[] = [
      { protocol: 'icmp', type: 8 },
      { protocol: 'icmp6', type: 1, code: 4 },
    ]
    expect(rendered({ services })).toEqual([`-p icmp -m icmp --icmp-type 8 ${tail}`])
    expect(rendered({ services }, 6)).toEqual([`-p ipv6-icmp -m icmp6 --icmpv6-type 1/4 ${tail}`])
  })

  test('never becomes wider than it was written', () => {
    expect(() => rendered({ services: [{ protocol: 'number', number: 0 }] })).toThrow('any protocol')
    expect(() => rendered({ services: [{ protocol: 'icmp', type: 255 }] })).toThrow('any type')
    expect(rendered({ services: [{ protocol: 'number', number: 44 }] }, 6)).toEqual([])
  })
})
