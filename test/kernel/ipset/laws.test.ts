import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type State, UnreadableOutput } from '../../../src/kernel/backend.ts'
import { diffState } from '../../../src/kernel/diff.ts'
import { ipset } from '../../../src/kernel/ipset/backend.ts'
import { setName } from '../../../src/kernel/set-name.ts'
import type { AddressList, Rule, RuleId } from '../../../src/model/model.ts'
import type { Prefix } from '../../../src/net/prefix.ts'
import { type TestHost, createHost, noFacts } from '../iptables/host.ts'
import { hostModel, makeHost } from '../iptables/models.ts'

const runs = { numRuns: 15, endOnFailure: true }

const foreign = `create gwx hash:net
add gwx 10.0.0.0/8
create docker hash:ip,port timeout 600 comment
add docker 10.0.0.1,tcp:80 timeout 0 comment "add gw-4-x 1.2.3.4"
create list list:set
add list gwx
`

let host: TestHost
let foreignBefore = ''

beforeAll(() => {
  host = createHost()
  host.must(['ipset', 'restore'], foreign)
  foreignBefore = foreignSets()
})
afterAll(() => host.delete())

function foreignSets(): string {
  return ['gwx', 'docker', 'list'].map((name) => host.must(['ipset', 'save', name])).join('')
}

function hostWith(lists: readonly AddressList[]) {
  const rules = lists.map(
    (peer, index): Rule => ({
      id: `${index}`.padStart(12, '0') as RuleId,
      verdict: 'allow',
      peer,
      services: [{ protocol: 'any' }],
    }),
  )
  return makeHost({
    own: { inbound: { kind: 'filtered', rules }, outbound: { kind: 'unfiltered', rules: [] } },
  })
}

function desired(name: string, prefixes: readonly string[]): State {
  return ipset.desired(hostWith([{ name, prefixes: prefixes as readonly Prefix[] }]), noFacts)
}

function fill(count: number, first = 0): readonly string[] {
  return Array.from(
    { length: count },
    (_, n) => `10.${(first + n) >> 15}.${((first + n) >> 7) & 255}.${((first + n) & 127) * 2}/32`,
  )
}

describe('sets', () => {
  test('move from any state to any other, print what we render, and then have nothing left to do', () => {
    fc.assert(
      fc.property(hostModel, (model) => {
        const target = ipset.desired(model, noFacts)
        host.move(ipset, target)
        expect(diffState(host.read(ipset), target)).toEqual([])
        expect(foreignSets()).toBe(foreignBefore)
      }),
      runs,
    )
  })

  test('are undone after every prefix of their steps, and twice', () => {
    fc.assert(
      fc.property(hostModel, hostModel, (from, to) => {
        host.move(ipset, ipset.desired(from, noFacts))
        const fingerprint = host.probe(ipset)
        const changes = diffState(host.read(ipset), ipset.desired(to, noFacts))
        const [steps, undo] = [ipset.steps(changes, noFacts), ipset.undo(changes, noFacts)]
        for (let done = 0; done <= Math.min(steps.length, 4); done++) {
          host.run(steps.slice(0, done))
          host.run(undo)
          host.run(undo)
          expect(host.probe(ipset)).toBe(fingerprint)
        }
      }),
      { numRuns: 6, endOnFailure: true },
    )
  })

  test('gain members before they lose any, and only by members', () => {
    const [before, after] = [
      desired('set:a', ['10.0.0.1/32', '10.0.0.2/32']),
      desired('set:a', ['10.0.0.2/32', '10.0.0.3/32']),
    ]
    const name = setName('set:a', 4)
    expect(ipset.steps(diffState(before, after), noFacts)).toMatchObject([
      { phase: 'widen', stdin: `add ${name} 10.0.0.3\n` },
      { phase: 'narrow', stdin: `del ${name} 10.0.0.1\n` },
    ])
  })

  test('that a rule names grow past their size without ever missing a member', () => {
    const name = setName('set:big', 4)
    host.move(ipset, desired('set:big', fill(40)))
    host.must(['iptables', '-A', 'INPUT', '-m', 'set', '--match-set', name, 'src', '-j', 'ACCEPT'])
    const [small, large] = [host.read(ipset), desired('set:big', fill(40_000, 20))]
    const fingerprint = host.probe(ipset)
    const changes = diffState(small, large)
    const steps = ipset.steps(changes, noFacts)
    expect(steps.map(({ phase }) => phase)).toEqual(['widen', 'narrow'])
    host.run(steps.slice(0, 1))
    const between = host.read(ipset).get(name)?.split('\n') ?? []
    expect(between).toEqual(expect.arrayContaining((small.get(name) ?? '').split('\n').slice(1)))
    expect(between.length).toBe(1 + 40_000 + 20)
    host.run(steps.slice(1))
    expect(diffState(host.read(ipset), large)).toEqual([])
    host.run(ipset.undo(changes, noFacts))
    expect(host.probe(ipset)).toBe(fingerprint)
    host.must(['iptables', '-F', 'INPUT'])
  })

  test('of 262,144 members are practical', () => {
    const target = desired('set:huge', fill(262_144))
    host.move(ipset, target)
    expect(diffState(host.read(ipset), target)).toEqual([])
    const changes = diffState(target, desired('set:huge', fill(262_143)))
    expect(ipset.steps(changes, noFacts).map(({ stdin }) => stdin.split('\n').length)).toEqual([2])
  })

  test('hold everything as two halves', () => {
    const target = desired('set:a', ['0.0.0.0/0', '::/0', '::1/128', '10.0.0.0/8'])
    expect(target.get(setName('set:a', 4))).toBe(
      'hash:net family inet maxelem 65536\n0.0.0.0/1\n10.0.0.0/8\n128.0.0.0/1',
    )
    host.move(ipset, target)
    expect(diffState(host.read(ipset), target)).toEqual([])
  })

  test('are repaired whatever a hand did to them, and the hand is put back by the undo', () => {
    const name = setName('set:a', 4)
    const target = desired('set:a', ['10.0.0.1/32', '10.1.0.0/16', '10.2.0.0/16'])
    const hands = [
      `add ${name} 192.0.2.0/24`,
      `flush ${name}`,
      `add ${name} 10.3.0.0/24 nomatch`,
      `destroy ${name}`,
      `destroy ${name}\ncreate ${name} hash:net family inet maxelem 7 comment\nadd ${name} 10.2.0.0/16 comment "a b"`,
      `destroy ${name}\ncreate ${name} hash:net family inet timeout 300\nadd ${name} 10.2.0.0/16`,
      `destroy ${name}\ncreate ${name} hash:ip,port family inet`,
      `destroy ${name}\ncreate ${name} hash:net family inet6`,
      `create ${name}-tmp hash:net family inet maxelem 9\nadd ${name}-tmp 10.2.0.0/16\ndel ${name} 10.1.0.0/16`,
      `create ${name}-tmp hash:ip\ndestroy ${name}\ncreate ${name} hash:net maxelem 9`,
    ]
    host.move(ipset, target)
    for (const hand of hands) {
      host.must(['ipset', 'restore'], `${hand}\n`)
      const fingerprint = host.probe(ipset)
      const changes = diffState(host.read(ipset), target)
      expect({ hand, result: changes }).not.toEqual({ hand, result: [] })
      const [steps, undo] = [ipset.steps(changes, noFacts), ipset.undo(changes, noFacts)]
      host.run(undo)
      expect({ hand, result: host.probe(ipset) }).toEqual({ hand, result: fingerprint })
      host.run(steps)
      expect({ hand, result: diffState(host.read(ipset), target) }).toEqual({ hand, result: [] })
      host.run(undo)
      expect({ hand, result: host.probe(ipset) }).toEqual({ hand, result: fingerprint })
      host.move(ipset, target)
    }
    expect(foreignSets()).toBe(foreignBefore)
  })

  test('know the rules that name them', () => {
    const list = (name: string): AddressList => ({
      name,
      prefixes: ['10.0.0.1/32', '10.0.0.3/32'] as unknown as Prefix[],
    })
    expect(ipset.users(hostWith([list('set:a'), list('set:b'), list('set:a')]))).toEqual(
      new Map([
        [setName('set:a', 4), ['000000000000', '000000000002']],
        [setName('set:b', 4), ['000000000001']],
      ]),
    )
  })

  test('go away without a trace', () => {
    host.move(ipset, new Map())
    expect(host.must(['ipset', 'list', '-n'])).toBe('gwx\ndocker\nlist\n')
  })
})

describe('what is not the output of ipset', () => {
  test.each(['ipset v7.17: error', 'add gw-4-a 10.0.0.1', 'create foreign hash:net', 'create gw-4-a'])(
    'is refused: %s',
    (output) => {
      expect(() => ipset.live(output, noFacts)).toThrow(UnreadableOutput)
    },
  )
})
