import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { State } from '../../../src/kernel/backend.ts'
import { diffState } from '../../../src/kernel/diff.ts'
import { ipset } from '../../../src/kernel/ipset/backend.ts'
import { iptables } from '../../../src/kernel/iptables/backend.ts'
import { formatProtocol } from '../../../src/kernel/iptables/protocols.ts'
import type { HostModel } from '../../../src/model/model.ts'
import { type TestHost, createHost, noFacts } from './host.ts'
import { hostModel } from './models.ts'

const runs = { numRuns: 8, endOnFailure: true }
const undoRuns = { numRuns: 4, endOnFailure: true }

/** Docker-like chains, a comment with quotes, an option of each sort, and a rule written by nft itself. */
const foreign = `*filter
:DOCKER-USER - [0:0]
:odd - [0:0]
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -m comment --comment "he said \\"gw-x\\" 'n' gitwall" -j RETURN
-A odd -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m limit --limit 3/min -j LOG --log-prefix "a b "
-A INPUT -i lo -j odd
-P FORWARD DROP
COMMIT
`

describe.each(['nft', 'legacy'] as const)('iptables on the %s back end', (backend) => {
  let host: TestHost
  let foreignBefore = ''

  beforeAll(() => {
    host = createHost(backend)
    for (const tool of ['iptables-restore', 'ip6tables-restore']) host.must([tool, '--noflush'], foreign)
    foreignBefore = foreignRules()
  })
  afterAll(() => host.delete())

  /** Everything in the tables that is not ours, byte for byte. */
  function foreignRules(): string {
    return ['iptables-save', 'ip6tables-save']
      .map((tool) => host.must([tool, '-t', 'filter']))
      .join('\n')
      .split('\n')
      .filter(
        (line) => !line.startsWith('#') && !/^(:|-A )gw-/.test(line) && !line.includes('--comment gitwall '),
      )
      .join('\n')
      .replaceAll(/\[\d+:\d+\]/g, '')
  }

  /** Sets first, as the plan does it; lost ones stay, so that every rule of either state can be written. */
  function desired(model: HostModel): State {
    const sets = new Map([...host.read(ipset), ...ipset.desired(model, noFacts)])
    host.move(ipset, sets)
    return iptables.desired(model, noFacts)
  }

  test('moves from any state to any other, prints what we render, and then has nothing left to do', () => {
    fc.assert(
      fc.property(hostModel, (model) => {
        const target = desired(model)
        host.move(iptables, target)
        expect(diffState(host.read(iptables), target)).toEqual([])
        expect(iptables.steps(diffState(host.read(iptables), target), noFacts)).toEqual([])
        expect(foreignRules()).toBe(foreignBefore)
      }),
      runs,
    )
  })

  test('is undone from before, between and after its steps, and from the middle of the undoing', () => {
    fc.assert(
      fc.property(hostModel, hostModel, fc.nat(), (from, to, cut) => {
        const [before, target] = [desired(from), desired(to)]
        host.move(iptables, before)
        const fingerprint = host.probe(iptables)
        const changes = diffState(host.read(iptables), target)
        const [steps, undo] = [iptables.steps(changes, noFacts), iptables.undo(changes, noFacts)]
        for (let done = 0; done <= steps.length; done++) {
          host.run(steps.slice(0, done))
          host.run(undo.slice(0, cut % (undo.length + 1)))
          host.run(undo)
          expect(host.probe(iptables)).toBe(fingerprint)
        }
        expect(foreignRules()).toBe(foreignBefore)
      }),
      undoRuns,
    )
  })

  test('knows every protocol by whatever name the host prints', () => {
    const numbers = Array.from({ length: 255 }, (_, n) => n + 1).filter((n) => ![43, 44, 51, 60].includes(n))
    const texts = numbers.map((n) => `-p ${formatProtocol(n)} -m comment --comment "gw:x" -j ACCEPT`)
    for (const family of [4, 6]) {
      host.move(iptables, new Map([[`${family} filter gw-test`, texts.join('\n')]]))
      expect(host.read(iptables).get(`${family} filter gw-test`)?.split('\n')).toEqual(texts)
    }
  })

  test('goes away without a trace', () => {
    host.move(iptables, new Map())
    expect(host.read(iptables)).toEqual(new Map())
    expect(foreignRules()).toBe(foreignBefore)
  })
})
