import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UnreadableOutput } from '../../../src/kernel/backend.ts'
import { diffState } from '../../../src/kernel/diff.ts'
import type { HostFacts } from '../../../src/kernel/facts.ts'
import { type Action, output, resubmit } from '../../../src/kernel/ovs/action.ts'
import { ovs } from '../../../src/kernel/ovs/backend.ts'
import { type Flow, formatFlow, formatKey, parseEntry, parseFlow } from '../../../src/kernel/ovs/flow.ts'
import type { Match } from '../../../src/kernel/ovs/match.ts'
import { local, named } from '../../../src/kernel/ovs/port.ts'
import { formatAddress } from '../../../src/net/address.ts'
import type { Mac } from '../../../src/net/mac.ts'
import { type Prefix, maskHostBits } from '../../../src/net/prefix.ts'
import { type TestSwitch, addPorts, startSwitch } from './switch.ts'

const ports = ['tap101i0', 'vnet7', 'uplink0']
let bench: TestSwitch
let facts: HostFacts
beforeAll(() => {
  bench = startSwitch(ports)
  facts = bench.facts()
})
afterAll(() => bench.stop())

const port = fc.constantFrom(...ports.map(named))
const mac = fc.bigInt({ min: 0n, max: (1n << 48n) - 1n }).map(
  (value) =>
    value
      .toString(16)
      .padStart(12, '0')
      .replaceAll(/..(?!$)/g, '$&:') as Mac,
)
const byte = fc.integer({ min: 0, max: 255 })

function prefix(family: 4 | 6): fc.Arbitrary<Prefix> {
  const bits = family === 4 ? 32 : 128
  const value = fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n })
  // Runs of zero groups and the addresses under ::/96 have spellings of their own.
  const short = fc.tuple(value, fc.integer({ min: 0, max: bits })).map(([all, shift]) => all >> BigInt(shift))
  return fc
    .tuple(short, fc.integer({ min: 1, max: bits }))
    .map(([address, length]) => maskHostBits(`${formatAddress(address, family)}/${length}`) as Prefix)
}

const portMask = fc
  .tuple(fc.integer({ min: 0, max: 65535 }), fc.integer({ min: 0, max: 15 }))
  .map(([value, free]) => {
    const mask = (0xffff << free) & 0xffff
    return { value: value & mask, mask }
  })

/** Any of these may stand in any flow. */
const common = fc.record(
  {
    nic: port,
    network: fc.integer({ min: 1, max: 65535 }),
    offersDhcp: fc.constant<false>(false),
    member: byte,
    in_port: fc.oneof(port, fc.constant(local)),
    vlan: fc.oneof(
      fc.integer({ min: 0, max: 4094 }),
      fc.constantFrom<'untagged' | 'tagged'>('untagged', 'tagged'),
    ),
    dl_src: mac,
    dl_dst: fc.oneof(mac, fc.constantFrom<'group' | 'reserved'>('group', 'reserved')),
    ct_state: fc.constantFrom('+trk', '+inv+trk', '+new+trk', '+est+rpl+trk', '-new+rel+trk'),
  } as const,
  { requiredKeys: [] },
)

function fields<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> {
  return fc.record(model, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>
}

const addresses4 = { nw_src: prefix(4), nw_dst: prefix(4), nw_ttl: byte }
const addresses6 = { ipv6_src: prefix(6), ipv6_dst: prefix(6), nw_ttl: byte }
const transport = { tp_src: portMask, tp_dst: portMask }
const neighbour = { ...addresses6, nd_target: prefix(6) }
const rawProtocol = byte.filter((number) => ![1, 6, 17, 58, 132].includes(number))

/** Fields that a protocol brings with it: ovs-fields(7), "Prerequisites". */
const specific: fc.Arbitrary<Match> = fc.oneof(
  fc.constant<Match>({}),
  fields<Match>({ arp_spa: prefix(4), arp_op: fc.constantFrom(1, 2), arp_sha: mac }).map(
    (rest): Match => ({
      protocol: 'arp',
      ...rest,
    }),
  ),
  fields<Match>({ arp_sha: mac }).map((rest): Match => ({ protocol: 'rarp', ...rest })),
  fields<Match>({ ...addresses4, nw_proto: rawProtocol }).map((rest): Match => ({ protocol: 'ip', ...rest })),
  fields<Match>({ ...addresses6, nw_proto: rawProtocol }).map(
    (rest): Match => ({ protocol: 'ipv6', ...rest }),
  ),
  ...(['tcp', 'udp', 'sctp'] as const).flatMap((name) => [
    fields<Match>({ ...addresses4, ...transport }).map((rest): Match => ({ protocol: name, ...rest })),
    fields<Match>({ ...addresses6, ...transport }).map((rest): Match => ({ protocol: `${name}6`, ...rest })),
  ]),
  fields<Match>({ ...addresses4, icmp_type: byte, icmp_code: byte }).map(
    (rest): Match => ({
      protocol: 'icmp',
      ...rest,
    }),
  ),
  fields<Match>({ ...addresses6, icmp_type: byte, icmp_code: byte }).map(
    (rest): Match => ({
      protocol: 'icmp6',
      ...rest,
    }),
  ),
  fields<Match>({ ...neighbour, nd_sll: mac }).map(
    (rest): Match => ({
      protocol: 'icmp6',
      icmp_type: 135,
      icmp_code: 0,
      ...rest,
    }),
  ),
  fields<Match>({ ...neighbour, nd_tll: mac }).map(
    (rest): Match => ({
      protocol: 'icmp6',
      icmp_type: 136,
      icmp_code: 0,
      ...rest,
    }),
  ),
)

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.oneof(port, fc.constant(local)).map(output),
  fc.constantFrom<Action>({ kind: 'output-nic' }, { kind: 'ct-clear' }, { kind: 'offer-dhcp' }),
  fc.integer({ min: 0, max: 253 }).map(resubmit),
  port.map((one): Action => ({ kind: 'set-nic', port: one })),
  fc.integer({ min: 0, max: 65535 }).map((network): Action => ({ kind: 'set-network', network })),
  fc
    .tuple(fc.constantFrom<2 | 3>(2, 3), fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }))
    .map(([half, bits]): Action => ({ kind: 'set-members', half, bits })),
)
/** These ask something of the match: an IP packet, or a tag. */
const ipAction = fc.oneof(
  action,
  fc.constant<Action>({ kind: 'commit' }),
  fc.integer({ min: 0, max: 253 }).map((table): Action => ({ kind: 'track', table })),
)
const tagging: fc.Arbitrary<readonly Action[]> = fc
  .integer({ min: 1, max: 4094 })
  .map((vlan) => [{ kind: 'push-vlan' }, { kind: 'set-vlan', vlan }])

const flow: fc.Arbitrary<Flow> = fc
  .tuple(
    common,
    specific,
    fc.integer({ min: 0, max: 253 }),
    fc.integer({ min: 0, max: 65535 }),
    fc.bigInt({ min: 0n, max: (1n << 48n) - 1n }),
  )
  .chain(([shared, own, table, priority, id]) => {
    const isIp = own.protocol !== undefined && !own.protocol.endsWith('arp')
    const isTagged = shared.vlan !== undefined && shared.vlan !== 'untagged'
    // Open vSwitch refuses to commit what it knows to be invalid.
    const forIp = shared.ct_state === '+inv+trk' ? action : ipAction
    const untag: readonly Action[] = isTagged ? [{ kind: 'pop-vlan' }] : []
    return fc
      .tuple(fc.array(isIp ? forIp : action, { maxLength: 5 }), fc.oneof(fc.constant([]), tagging))
      .map(
        ([actions, tags]): Flow => ({
          table,
          priority,
          id: id.toString(16).padStart(12, '0'),
          match: { ...shared, ...own },
          actions: [...actions, ...untag, ...tags],
        }),
      )
  })

describe('a flow', () => {
  test('is read back as it was written, for every form we know', () => {
    fc.assert(
      fc.property(flow, (one) => {
        expect(parseFlow(formatFlow(one))).toEqual(one)
      }),
      { numRuns: 1000 },
    )
  })

  test('keeps its key apart into bridge and parts', () => {
    fc.assert(
      fc.property(flow, (one) => {
        const text = formatFlow(one)
        expect(parseEntry(formatKey('br-int.1', text), text.rest)).toEqual({ bridge: 'br-int.1', flow: text })
      }),
    )
  })

  test('is printed by a real switch exactly as we spell it', () => {
    fc.assert(
      fc.property(fc.array(flow, { minLength: 150, maxLength: 150 }), (flows) => {
        const wanted = new Map(
          flows.map((one) => [formatKey('br0', formatFlow(one)), formatFlow(one).rest] as const),
        )
        bench.moveTo(wanted, facts)
        expect(diffState(bench.live(facts), wanted)).toEqual([])
      }),
      { numRuns: 6, endOnFailure: true },
    )
  })

  test.each([
    'ip,ip',
    'tcp,tp_dst=080',
    'tcp,tp_dst=0x50/0xffff',
    'ip,nw_src=10.0.0.5/24',
    'ip,nw_src=10.0.0.0/255.0.255.0',
    'reg8=0x6/0x6',
    'reg8=0x4',
    'reg4=0x1',
    'reg5=7',
    'dl_src=52:54:00:00:00:01/ff:ff:ff:00:00:00',
    'dl_dst=01:00:00:00:00:00/ff:00:00:00:00:00',
    'ct_state=+trk+new',
    'ip,nw_frag=first',
    'toString',
    'constructor=1',
    'in_port="tap',
    '',
  ])('whose match is "%s" is not half understood', (match) => {
    const parsed = parseFlow({ table: 1, priority: 2, match, rest: 'cookie=0x6777000000000000,actions=drop' })
    expect(parsed === undefined).toBe(match !== '')
  })

  test.each([
    'drop,output:1',
    'output:1,',
    'output:01',
    'resubmit(1,2)',
    'resubmit(,2),note:00.00.00.00.00.00',
    'ct(table=5,zone=7)',
    'ct(commit,zone=NXM_NX_REG6[0..15],nat(src=192.0.2.1))',
    'set_field:0x2->reg7',
    'set_field:0x1->eth_dst',
    'clone(output:1',
    'output:"a","b',
    '',
  ])('whose actions are "%s" is not half understood', (actions) => {
    expect(
      parseFlow({ table: 1, priority: 2, match: 'ip', rest: `cookie=0x6777000000000000,actions=${actions}` }),
    ).toBe(undefined)
  })
})

describe('reading a host', () => {
  const dump = (...lines: readonly string[]) => ['bridge br0', ...lines, ''].join('\n')

  test('names ports, and keeps the number of one that has no interface any more', () => {
    const number = facts.ovsPorts.get('vnet7')?.ofport ?? 0
    const live = ovs.live(
      dump(
        ` cookie=0x6777000000000000, priority=40200,in_port=${number} actions=set_field:0x${number.toString(16)}->reg5,output:${number},LOCAL`,
        ' cookie=0x6777000000000000, priority=40200,in_port=77 actions=set_field:0x4d->reg5,output:77',
      ),
      facts,
    )
    expect([...live]).toEqual([
      [
        'br0 table=0 priority=40200,in_port="vnet7"',
        'cookie=0x6777000000000000,actions=set_field:"vnet7"->reg5,output:"vnet7",LOCAL',
      ],
      [
        'br0 table=0 priority=40200,in_port=77',
        'cookie=0x6777000000000000,actions=set_field:0x4d->reg5,output:77',
      ],
    ])
  })

  test('keeps what it does not understand in a flow of ours, and removes or restores it as it was', () => {
    const number = facts.ovsPorts.get('vnet7')?.ofport ?? 0
    const odd = [
      `table=11,priority=7,icmp,in_port=${number},nw_tos=4,idle_timeout=600,importance=3,send_flow_rem,cookie=0x6777000000000000,actions=drop`,
      `table=11,reg5=${number},reg4=0x1/0xf,cookie=0x6777123456789abc,actions=note:01.02.03.04.05.06,output:${number}`,
      `table=11,priority=8,in_port=${number},cookie=0x6777123456789abc,actions=learn(table=98,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])`,
      'table=11,cookie=0x6777000000000000,actions=NORMAL',
    ]
    bench.moveTo(new Map(), facts)
    const added = bench.run(['ovs-ofctl', '-O', 'OpenFlow14', 'add-flows', 'br0', '-'], `${odd.join('\n')}\n`)
    expect(added.code).toBe(0)
    const live = bench.live(facts)
    expect([...live].sort(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ['br0 table=11 priority=32768', 'cookie=0x6777000000000000,actions=NORMAL'],
      [
        `br0 table=11 priority=32768,reg4=0x1/0xf,reg5=0x${number.toString(16)}`,
        `cookie=0x6777123456789abc,actions=note:01.02.03.04.05.06,output:${number}`,
      ],
      [
        `br0 table=11 priority=7,icmp,in_port=${number},nw_tos=4`,
        'cookie=0x6777000000000000,idle_timeout=600,send_flow_rem,importance=3,actions=drop',
      ],
      [
        'br0 table=11 priority=8,in_port="vnet7"',
        'cookie=0x6777123456789abc,actions=learn(table=98,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])',
      ],
    ])
    const changes = bench.moveTo(new Map(), facts)
    expect(bench.live(facts)).toEqual(new Map())
    bench.apply(ovs.undo(changes, facts))
    expect(bench.live(facts)).toEqual(live)
    bench.moveTo(new Map(), facts)
  })

  test.each([
    ['a hex dump', '00000000  05 13 00 10 00 00 00 02-\n'],
    ['a warning', dump('2026-11-20T11:54:22Z|00001|ofp_port|WARN|something')],
    ['a flow of somebody else', dump(' cookie=0x1, table=11, priority=5 actions=drop')],
    ['a flow without actions', dump(' cookie=0x6777000000000000, table=11, priority=5')],
    ['a cut-off line', 'bridge br0\n cookie=0x6777000000000000, table=11, prio'],
    ['a flow before any bridge', ' cookie=0x6777000000000000, table=11, priority=5 actions=drop\n'],
    [
      'a flow twice',
      dump(...Array<string>(2).fill(' cookie=0x6777000000000000, table=11, priority=5 actions=drop')),
    ],
    [
      'a bridge that is an option',
      'bridge --help\n cookie=0x6777000000000000, table=11, priority=5 actions=drop\n',
    ],
    [
      'an address for a bridge',
      'bridge tcp:192.0.2.1\n cookie=0x6777000000000000, table=11, priority=5 actions=drop\n',
    ],
  ])('refuses %s instead of taking it for nothing', (_, text) => {
    expect(() => ovs.live(text, facts)).toThrow(UnreadableOutput)
  })

  test('finds our flows on a bridge that the inventory does not know', () => {
    bench.vsctl(
      'add-br',
      'br-old',
      '--',
      'set',
      'bridge',
      'br-old',
      'datapath_type=netdev',
      '--',
      ...addPorts('br-old', ['old0']),
    )
    bench.run([
      'ovs-ofctl',
      '-O',
      'OpenFlow14',
      'add-flow',
      'br-old',
      'table=0,in_port=1,cookie=0x6777000000000000,actions=drop',
    ])
    const now = bench.facts()
    expect([...bench.live(now).keys()]).toEqual(['br-old table=0 priority=32768,in_port="old0"'])
    bench.moveTo(new Map(), now)
    expect(bench.live(now)).toEqual(new Map())
    bench.vsctl('del-br', 'br-old')
  })

  test('prints the same text for the same flows, whatever their order in the switch', () => {
    const entries = Array.from({ length: 300 }, (_, index): [string, string] => [
      `br0 table=11 priority=5,reg6=0x${(index + 1).toString(16)}`,
      'cookie=0x6777000000000000,actions=drop',
    ])
    bench.moveTo(new Map(entries), facts)
    const once = bench.probe()
    bench.moveTo(new Map(), facts)
    bench.moveTo(new Map(entries.slice(0, 100)), facts)
    bench.moveTo(new Map(entries), facts)
    expect(bench.probe()).toBe(once)
    bench.moveTo(new Map(), facts)
  })

  test('reads a bridge without OpenFlow 1.4 as one without flows of ours, and says what to do when it has some', () => {
    bench.vsctl('set', 'bridge', 'br0', 'protocols=OpenFlow10,OpenFlow13')
    expect(bench.live(facts)).toEqual(new Map())
    bench.run([
      'ovs-ofctl',
      '-O',
      'OpenFlow13',
      'add-flow',
      'br0',
      'table=1,cookie=0x6777000000000000,actions=drop',
    ])
    const failed = bench.run(['sh', '-c', ovs.probe])
    expect([failed.code, failed.stdout]).toEqual([1, ''])
    expect(failed.stderr).toContain('ovs-vsctl add bridge br0 protocols OpenFlow14')
    bench.vsctl('clear', 'bridge', 'br0', 'protocols')
    bench.moveTo(new Map(), facts)
  })

  test('prints nothing where there is no Open vSwitch, and fails where it does not answer', () => {
    const absent = bench.run(['env', 'OVS_RUNDIR=/nonexistent', 'sh', '-c', ovs.probe])
    expect(absent).toEqual({ code: 0, stdout: '', stderr: '' })
    const bare = bench.run(['env', 'PATH=/nonexistent', '/bin/sh', '-c', ovs.probe])
    expect(bare).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})
