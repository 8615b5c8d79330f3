import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UnreadableOutput } from '../../../src/kernel/backend.ts'
import { diffState } from '../../../src/kernel/diff.ts'
import { nft } from '../../../src/kernel/nft/backend.ts'
import type { HostModel } from '../../../src/model/model.ts'
import { type TestHost, createHost, noFacts } from '../iptables/host.ts'
import { hostModel } from '../iptables/models.ts'

const runs = { numRuns: 20, endOnFailure: true }

const foreign = `table bridge filter {
  chain forward { type filter hook forward priority 0; policy accept; ether type arp counter comment "gitwall"; }
}
table inet gitwall {
  chain input { type filter hook input priority 5; tcp dport 22 accept; }
}
`

describe('the table bridge gitwall', () => {
  let host: TestHost
  let foreignBefore = ''

  beforeAll(() => {
    host = createHost()
    host.must(['nft', '-f', '-'], foreign)
    foreignBefore = foreignTables()
  })
  afterAll(() => host.delete())

  function foreignTables(): string {
    return (
      host.must(['nft', 'list', 'table', 'bridge', 'filter']) +
      host.must(['nft', 'list', 'table', 'inet', 'gitwall'])
    )
  }

  test('moves from any state to any other, prints what we render, and then has nothing left to do', () => {
    fc.assert(
      fc.property(hostModel, (model) => {
        const target = nft.desired(model, noFacts)
        host.move(nft, target)
        expect(diffState(host.read(nft), target)).toEqual([])
        expect(foreignTables()).toBe(foreignBefore)
      }),
      runs,
    )
  })

  test('is undone before and after its step, and twice', () => {
    fc.assert(
      fc.property(hostModel, hostModel, (from, to) => {
        host.move(nft, nft.desired(from, noFacts))
        const fingerprint = host.probe(nft)
        const changes = diffState(host.read(nft), nft.desired(to, noFacts))
        const [steps, undo] = [nft.steps(changes, noFacts), nft.undo(changes, noFacts)]
        for (const attempt of [undo, [...steps, ...undo], undo]) {
          host.run(attempt)
          expect(host.probe(nft)).toBe(fingerprint)
        }
      }),
      runs,
    )
  })

  test('is repaired whatever a hand did to it, and the hand is put back by the undo', () => {
    const [model] = fc.sample(
      hostModel.filter(({ nics }) => nics.filter(({ antispoof }) => antispoof).length > 2),
      { numRuns: 1, seed: 7 },
    )
    const target = nft.desired(model as HostModel, noFacts)
    host.move(nft, target)
    const chain = [...target.keys()].find((key) => key.startsWith('chain from-'))?.slice(6) ?? ''
    const hands = [
      'add table bridge gitwall { flags dormant; }',
      `insert rule bridge gitwall ${chain} counter accept comment "let me in"`,
      `flush chain bridge gitwall ${chain}`,
      'add set bridge gitwall mine { type ipv4_addr; elements = { 10.0.0.1 }; }',
      'flush map bridge gitwall from',
      `add element bridge gitwall from { "lo" : jump ${chain} }`,
      'flush chain bridge gitwall prerouting\ndelete chain bridge gitwall prerouting\n' +
        'add chain bridge gitwall prerouting { type filter hook output priority 5; policy drop; }',
      'flush chain bridge gitwall prerouting\ndelete chain bridge gitwall prerouting\nadd chain bridge gitwall other\n' +
        'add rule bridge gitwall other ip6 saddr ::1.2.3.4 accept',
      'delete table bridge gitwall',
    ]
    for (const hand of hands) {
      host.must(['nft', '-f', '-'], `${hand}\n`)
      const fingerprint = host.probe(nft)
      const changes = diffState(host.read(nft), target)
      expect({ hand, result: changes }).not.toEqual({ hand, result: [] })
      const undo = nft.undo(changes, noFacts)
      host.run(undo)
      expect({ hand, result: host.probe(nft) }).toEqual({ hand, result: fingerprint })
      host.run(nft.steps(changes, noFacts))
      expect({ hand, result: diffState(host.read(nft), target) }).toEqual({ hand, result: [] })
      host.run(undo)
      expect({ hand, result: host.probe(nft) }).toEqual({ hand, result: fingerprint })
      host.move(nft, target)
    }
  })

  test('goes away without a trace', () => {
    host.move(nft, new Map())
    expect(host.must(['nft', 'list', 'tables', 'bridge'])).toBe('table bridge filter\n')
  })
})

describe('what is not the output of nft', () => {
  test.each(['Error: out of memory', '? no end\ntable', 'chain x\taccept'])('is refused: %s', (output) => {
    expect(() => nft.live(output, noFacts)).toThrow(UnreadableOutput)
  })
})
