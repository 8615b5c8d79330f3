import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Chain } from '../../../src/kernel/iptables/chain.ts'
import { dispatchReceivers, dispatchSenders, dropStrangers } from '../../../src/kernel/iptables/dispatch.ts'
import { formatRule } from '../../../src/kernel/iptables/rule.ts'

const port = fc.oneof(
  fc.integer({ min: 1, max: 400 }).map((n) => `tap${n}i0`),
  fc.stringMatching(/^[A-Za-z0-9_.-]{1,15}$/),
)
const ports = fc.uniqueArray(port, { maxLength: 60 })

/** Where the tree leads a packet of `port`, and after how many rules. */
function lead(chains: readonly Chain[], port: string): { readonly to: string; readonly rules: number } {
  let [name, rules] = [chains[0]?.name ?? '', 0]
  for (;;) {
    const chain = chains.find((one) => one.name === name)
    if (chain === undefined) return { to: name, rules }
    const hit = chain.rules.find((rule) => {
      rules++
      const [match] = rule.matches
      const pattern = match?.kind === 'physdev' ? (match.in ?? match.out ?? '') : '+'
      return pattern.endsWith('+') ? port.startsWith(pattern.slice(0, -1)) : port === pattern
    })
    if (hit === undefined) return { to: 'end', rules }
    if (hit.target.kind !== 'goto') return { to: hit.target.kind, rules }
    name = hit.target.chain
  }
}

function textByName(chains: readonly Chain[]): ReadonlyMap<string, string> {
  return new Map(chains.map(({ name, rules }) => [name, rules.map(formatRule).join('\n')]))
}

describe('the dispatch tree', () => {
  test('leads every port to its own chain, and nobody else anywhere', () => {
    fc.assert(
      fc.property(ports, port, (list, other) => {
        for (const one of list) {
          expect(lead(dispatchSenders(list), one).to).toBe(`gw-o-${one}`)
          expect(lead(dispatchReceivers(list), one).to).toBe(`gw-i-${one}`)
          for (const chains of [dropStrangers('vmbr0', list).filter(({ name }) => name.startsWith('gw-u'))])
            expect(lead(chains, one).to).toBe('return')
        }
        if (list.includes(other)) return
        expect(lead(dispatchSenders(list), other).to).toBe('end')
        expect(lead(dropStrangers('vmbr0', list), other).to).toBe('drop')
      }),
    )
  })

  test('has names that iptables takes, each once, whatever the bridge is called', () => {
    fc.assert(
      fc.property(ports, (list) => {
        const names = [
          ...dispatchSenders(list),
          ...dispatchReceivers(list),
          ...dropStrangers('b'.repeat(15), list),
        ].map(({ name }) => name)
        expect(names.filter((name) => name.length > 28)).toEqual([])
        expect(new Set(names).size).toBe(names.length)
      }),
    )
  })

  test('is flat: 500 guests cost a packet at most three times what 8 cost', () => {
    const list = Array.from({ length: 500 }, (_, n) => `tap${100 + n}i0`)
    expect(Math.max(...list.map((one) => lead(dispatchSenders(list), one).rules))).toBeLessThanOrEqual(25)
  })

  test('changes in a node or two when a neighbour comes', () => {
    const list = Array.from({ length: 500 }, (_, n) => `tap${100 + n}i0`)
    const [before, after] = [
      textByName(dispatchSenders(list)),
      textByName(dispatchSenders([...list, 'tap1234i0'])),
    ]
    const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
      (name) => before.get(name) !== after.get(name),
    )
    expect(changed.length).toBeLessThanOrEqual(2)
  })
})
