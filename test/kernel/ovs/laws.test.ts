import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { diffState } from '../../../src/kernel/diff.ts'
import type { HostFacts } from '../../../src/kernel/facts.ts'
import { ovs } from '../../../src/kernel/ovs/backend.ts'
import { hostModels, nicPorts, otherPorts } from './models.ts'
import { type TestSwitch, startSwitch } from './switch.ts'

let bench: TestSwitch
let facts: HostFacts

/** Flows of others, with whatever ovs-actions(7) offers, in table 0 and in tables of ours. */
const foreign = [
  'table=0,priority=0,actions=NORMAL',
  'table=0,priority=60000,dl_type=0x88cc,actions=controller(reason=action,max_len=5)',
  'cookie=0x6776ffffffffffff,table=11,priority=7,ip,actions=note:01.02.03.04.05.06',
  'cookie=0x6778000000000000,table=23,priority=100,tcp,tp_dst=80,actions=resubmit(,24)',
  'cookie=0x1,table=99,priority=5,actions=learn(table=98,hard_timeout=10,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])',
  'cookie=0x2,table=99,priority=6,ip,actions=multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[]),write_metadata:3',
  'cookie=0x3,table=99,priority=7,ip,idle_timeout=0,send_flow_rem,actions=ct(commit,zone=5,exec(set_field:1->ct_mark))',
]

beforeAll(() => {
  bench = startSwitch([...nicPorts.filter((port) => port !== 'tap-gone'), ...otherPorts])
  facts = bench.facts()
  const added = bench.run(
    ['ovs-ofctl', '-O', 'OpenFlow15', 'add-flows', 'br0', '-'],
    `${foreign.join('\n')}\n`,
  )
  expect(added).toEqual({ code: 0, stdout: '', stderr: '' })
})
afterAll(() => bench.stop())

/** Each run takes a tenth of a second for every look and every move. */
const runs = { numRuns: 8, endOnFailure: true }

describe('any model, on a real switch', () => {
  test('is what the switch holds after it was written, and writing it again changes nothing', () => {
    fc.assert(
      fc.property(hostModels, (host) => {
        const desired = ovs.desired(host, facts)
        bench.moveTo(desired, facts)
        expect(diffState(bench.live(facts), desired)).toEqual([])
        expect(bench.moveTo(desired, facts)).toEqual([])
      }),
      runs,
    )
  })

  test('is reached from any other, and left again by the undo of that move, run once or twice or on its own', () => {
    fc.assert(
      fc.property(hostModels, hostModels, (one, other) => {
        const [from, to] = [ovs.desired(one, facts), ovs.desired(other, facts)]
        bench.moveTo(from, facts)
        const changes = diffState(from, to)
        const undo = ovs.undo(changes, facts)
        bench.apply(undo)
        expect(diffState(bench.live(facts), from)).toEqual([])
        bench.apply(ovs.steps(changes, facts))
        expect(diffState(bench.live(facts), to)).toEqual([])
        bench.apply(undo)
        expect(diffState(bench.live(facts), from)).toEqual([])
        bench.apply(undo)
        expect(diffState(bench.live(facts), from)).toEqual([])
      }),
      runs,
    )
  })

  test('leaves flows of others alone, also when ours are all removed', () => {
    const before = bench.foreign('br0')
    expect(before).toHaveLength(foreign.length)
    fc.assert(
      fc.property(hostModels, (host) => {
        bench.moveTo(ovs.desired(host, facts), facts)
        expect(bench.foreign('br0')).toEqual(before)
        bench.moveTo(new Map(), facts)
        expect(bench.foreign('br0')).toEqual(before)
      }),
      { numRuns: 3 },
    )
  })

  test('names no port by its number, and none that is not there', () => {
    fc.assert(
      fc.property(hostModels, (host) => {
        const text = [...ovs.desired(host, facts)].flat().join('\n')
        expect(text).not.toMatch(/in_port=\d|output:\d|->reg5.*set_field:0x\d+->reg5|reg5=0x/)
        expect(text).not.toContain('gone')
      }),
    )
  })

  test('leads from every flow of a rule to the rule, and from every member flow to the rules that name its lists', () => {
    fc.assert(
      fc.property(hostModels, (host) => {
        const desired = ovs.desired(host, facts)
        const users = ovs.users(host)
        const rules = host.nics.flatMap((nic) => [...nic.inbound.rules, ...nic.outbound.rules])
        const known = new Set<string>(rules.map((rule) => rule.id))
        const named = [...desired].flatMap(([key, text]) => [...ovs.ruleIds(text), ...(users.get(key) ?? [])])
        expect(named.filter((id) => !known.has(id))).toEqual([])
        const ruleFlows = [...desired].filter(([key]) => /table=(17|23) priority=[1-9]/.test(key))
        expect(ruleFlows.filter(([, text]) => ovs.ruleIds(text).length !== 1)).toEqual([])
        const members = [...desired.keys()].filter((key) => /table=(16|22) priority=[1-9]/.test(key))
        expect(members.filter((key) => (users.get(key) ?? []).length === 0)).toEqual([])
      }),
    )
  })
})

describe('a move', () => {
  test('keeps the counters of flows that stay, and of those whose actions change', () => {
    const base = new Map([
      ['br0 table=200 priority=5,in_port=LOCAL', 'cookie=0x6777000000000000,actions=resubmit(,201)'],
      ['br0 table=201 priority=5', 'cookie=0x6777000000000000,actions=drop'],
      ['br0 table=201 priority=6,arp', 'cookie=0x6777000000000000,actions=drop'],
    ])
    bench.moveTo(base, facts)
    bench.run(['ovs-ofctl', 'add-flow', 'br0', 'table=0,priority=65000,actions=resubmit(,200)'])
    const sent = bench.run([
      'ovs-ofctl',
      '-O',
      'OpenFlow14',
      'packet-out',
      'br0',
      'in_port=LOCAL packet=' +
        'ff'.repeat(6) +
        '02'.repeat(6) +
        '0800' +
        '00'.repeat(50) +
        ' actions=resubmit(,200)',
    ])
    expect(sent.code).toBe(0)
    const packets = () =>
      bench
        .run([
          'ovs-ofctl',
          '-O',
          'OpenFlow14',
          'dump-flows',
          'br0',
          'cookie=0x6777000000000000/0xffff000000000000',
        ])
        .stdout.split('\n')
        .filter((line) => line.includes('table=20'))
        .map((line) => (/table=(\d+), n_packets=(\d+).* (priority=\S+)/.exec(line) ?? []).slice(1).join(' '))
        .sort()
    expect(packets()).toEqual(['200 1 priority=5,in_port=LOCAL', '201 0 priority=6,arp', '201 1 priority=5'])
    const next = new Map(base)
    next.set('br0 table=201 priority=5', 'cookie=0x6777000000000001,actions=LOCAL')
    next.delete('br0 table=201 priority=6,arp')
    next.set('br0 table=201 priority=7,ip', 'cookie=0x6777000000000000,actions=drop')
    bench.moveTo(next, facts)
    expect(packets()).toEqual(['200 1 priority=5,in_port=LOCAL', '201 0 priority=7,ip', '201 1 priority=5'])
    // The same flow once more, as the undo of another change may write it.
    bench.apply(
      ovs.undo(
        [
          {
            op: 'replace',
            key: 'br0 table=201 priority=5',
            before: next.get('br0 table=201 priority=5') ?? '',
            after: '',
          },
        ],
        facts,
      ),
    )
    expect(packets()).toEqual(['200 1 priority=5,in_port=LOCAL', '201 0 priority=7,ip', '201 1 priority=5'])
    bench.run(['ovs-ofctl', '--strict', 'del-flows', 'br0', 'table=0,priority=65000'])
  })

  test('is one run of the tool for each bridge, deletions first', () => {
    const steps = ovs.steps(
      [
        { op: 'add', key: 'br0 table=11 priority=5', after: 'cookie=0x6777000000000000,actions=drop' },
        { op: 'remove', key: 'br1 table=11 priority=6', before: 'cookie=0x6777000000000009,actions=drop' },
        { op: 'remove', key: 'br0 table=11 priority=7,ip', before: 'cookie=0x6777000000000000,actions=drop' },
      ],
      facts,
    )
    expect(steps.map(({ argv, stdin, phase }) => [phase, argv.join(' '), stdin])).toEqual([
      [
        'switch',
        'ovs-ofctl -O OpenFlow14 --bundle add-flows br0 -',
        'delete_strict cookie=0x6777000000000000/-1,table=11,priority=7,ip\nadd table=11,priority=5,cookie=0x6777000000000000,actions=drop\n',
      ],
      [
        'switch',
        'ovs-ofctl -O OpenFlow14 --bundle add-flows br1 -',
        'delete_strict cookie=0x6777000000000009/-1,table=11,priority=6\n',
      ],
    ])
  })

  test('fails as a whole, so that a bad line leaves everything as it was', () => {
    bench.moveTo(new Map(), facts)
    const good = ['br0 table=11 priority=5', 'cookie=0x6777000000000000,actions=drop'] as const
    const bad = ['br0 table=11 priority=6', 'cookie=0x6777000000000000,actions=nonsense'] as const
    expect(() => bench.moveTo(new Map([good, bad]), facts)).toThrow(/nonsense/)
    expect(bench.live(facts)).toEqual(new Map())
  })

  test('whose match the tool widens is refused by what the tool says on stderr', () => {
    bench.moveTo(new Map(), facts)
    const widened = new Map([
      ['br0 table=11 priority=5,nw_src=10.0.0.1', 'cookie=0x6777000000000000,actions=drop'],
    ])
    expect(() => bench.moveTo(widened, facts)).toThrow(/normalization changed ofp_match/)
    // The switch keeps a trace of the field, which the dump does not show: only the same text deletes it.
    for (const { argv, stdin } of ovs.undo(diffState(new Map(), widened), facts)) bench.run(argv, stdin)
    expect(bench.live(facts)).toEqual(new Map())
  })

  test('writes no flow that names a port which is not there', () => {
    const key = 'br0 table=0 priority=5,in_port="tap-gone"'
    expect(ovs.steps([{ op: 'add', key, after: 'cookie=0x6777000000000000,actions=drop' }], facts)).toEqual(
      [],
    )
  })

  test('never turns text with a line break or a foreign shape into input', () => {
    for (const [key, after] of [
      ['br0 table=1 priority=5,ip\nadd table=0', 'cookie=0x6777000000000000,actions=drop'],
      ['br0 table=1 priority=5', 'cookie=0x6777000000000000,actions=drop\ndelete'],
      ['-O table=1 priority=5', 'cookie=0x6777000000000000,actions=drop'],
      ['tcp:192.0.2.1 table=1 priority=5', 'cookie=0x6777000000000000,actions=drop'],
      ['br0 table=1', 'cookie=0x6777000000000000,actions=drop'],
    ] as const)
      expect(() => ovs.steps([{ op: 'add', key, after }], facts)).toThrow('not an entry')
  })
})
