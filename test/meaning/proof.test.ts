import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { HostState, KindName } from '../../src/kernel/backend.ts'
import { prove } from './proof.ts'
import { policyFile } from './random-policy.ts'

/** How many random policies `npm test` tries; `npm run prove -- --policies N` tries more. */
const policies = 8

test('policy, flows and chains give the same verdict on every class of packets of random policies', () => {
  let verdicts = 0
  // A seed of the day would make a red run hard to repeat; the long run takes others.
  for (const policy of fc.sample(policyFile, { numRuns: policies, seed: 20_261_120 })) {
    const proof = prove(policy)
    expect(proof.wrong, policy).toEqual([])
    verdicts += proof.verdicts
  }
  console.log(`proof: ${policies} policies, ${verdicts} verdicts, 0 wrong`)
  expect(verdicts).toBeGreaterThan(policies * 1000)
}, 120_000)

/** A policy in which every planted fault matters. */
const known = JSON.stringify({
  sets: {
    a: ['198.51.100.0/24', '2001:db8:ff::/48', '198.18.0.0/15'],
    b: ['203.0.113.0/24', '2001:db8:fe::/48', '198.18.0.0/16'],
  },
  firewalls: {
    f: {
      protects: 'web:db',
      inbound: [
        { name: 'no', deny: 'tcp/8003', from: '198.51.100.7' },
        { name: 'range', allow: 'tcp/8000-8007', from: 'set:a' },
        { name: 'other', allow: 'udp/53', from: 'set:b' },
        { name: 'sql', allow: 'tcp/5432', from: 'group:web' },
      ],
      outbound: [{ name: 'all', allow: ['tcp', 'udp'], to: 'any' }],
    },
  },
})

/** Edits the text of every object of a kind; objects whose text becomes empty go. */
function edit(kind: KindName, change: (key: string, text: string) => readonly [string, string] | undefined) {
  return (state: HostState): HostState =>
    new Map(
      [...state].map(([name, objects]) => {
        if (name !== kind) return [name, objects]
        return [
          name,
          new Map(
            [...objects].flatMap(([key, text]) => [change(key, text)].filter((one) => one !== undefined)),
          ),
        ]
      }),
    )
}

const loses = (kind: KindName, isLost: (key: string, text: string) => boolean) =>
  edit(kind, (key, text) => (isLost(key, text) ? undefined : [key, text]))
const losesLine = (pattern: RegExp) =>
  edit('iptables', (key, text) => [
    key,
    text
      .split('\n')
      .filter((line) => !pattern.test(line))
      .join('\n'),
  ])
const replaces = (kind: KindName, from: RegExp, to: string) =>
  edit(kind, (key, text) => [key.replace(from, to), text.replace(from, to)])

describe('a fault in a renderer is caught:', () => {
  test('the policy itself is without fault', () => {
    expect(prove(known).wrong).toEqual([])
  })

  test.each([
    ['a port mask one bit too wide', replaces('ovs', /tp_dst=0x1f40\/0xfff8/, 'tp_dst=0x1f40/0xfff0')],
    ['a flow of one rule lost', loses('ovs', (key) => /table=\d+ priority=\d+,tcp,.*tp_dst=5432/.test(key))],
    [
      'replies of one direction forgotten',
      loses('ovs', (key) => key.includes('table=15') && key.includes('+est+rpl')),
    ],
    ['a member lost', loses('ovs', (key) => key.includes('nw_src=198.51.100.0/24'))],
    ['a member with the bits of another list', edit('ovs', swapMembers())],
    ['invalid packets let through', loses('ovs', (key) => key.includes('ct_state=+inv'))],
    ['the deny rule lost', loses('ovs', (key) => key.includes('tp_dst=8003'))],
    ['a port range one too long', replaces('iptables', /--dport 8000:8007/g, '--dport 8000:8008')],
    [
      'a rule of one family lost',
      edit('iptables', (key, text) => [
        key,
        key.startsWith('6') ? text.replace(/^.*--dport 5432.*\n/m, '') : text,
      ]),
    ],
    ['replies forgotten on bridges', losesLine(/gw:reply/)],
    ['invalid packets let through on bridges', losesLine(/gw:invalid/)],
    ['a default that accepts', replaces('iptables', /"gw:default" -j DROP/g, '"gw:default" -j ACCEPT')],
    ['a source taken for a destination', replaces('iptables', / src /g, ' dst ')],
    ['a set member lost', replaces('ipset', /\n198\.51\.100\.0\/24/, '')],
    ['the hook lost', loses('iptables', (key) => key.endsWith('FORWARD'))],
  ])('%s', (_, sabotage) => {
    expect(prove(known, { sabotage }).wrong).not.toEqual([])
  })
})

/** The flows of two members exchange what they set. */
function swapMembers() {
  const [one, other] = ['198.51.100.0/24', '203.0.113.0/24']
  return (key: string, text: string): readonly [string, string] => {
    if (key.includes(`nw_src=${one}`)) return [key.replace(one, other), text]
    return key.includes(`nw_src=${other}`) ? [key.replace(other, one), text] : [key, text]
  }
}
