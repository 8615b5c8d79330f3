import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UnreadableOutput } from '../../../src/kernel/backend.ts'
import { diffState } from '../../../src/kernel/diff.ts'
import { iptables } from '../../../src/kernel/iptables/backend.ts'
import type { HostModel, Nic, RuleId } from '../../../src/model/model.ts'
import type { Mac } from '../../../src/net/mac.ts'
import { type TestHost, createHost, noFacts } from './host.ts'
import { makeHost } from './models.ts'

const unfiltered = { kind: 'unfiltered', rules: [] } as const

function nic(port: string, ports: readonly number[]): Nic {
  return {
    guest: port,
    port,
    bridge: 'vmbr0',
    network: { name: 'shop', zone: 0x4001 },
    mac: '52:54:00:00:00:01' as Mac,
    addresses: [],
    antispoof: true,
    sources: [],
    dhcpServer: false,
    routerAdvertisements: false,
    outbound: unfiltered,
    inbound: {
      kind: 'filtered',
      rules: ports.map((port) => ({
        id: port.toString(16).padStart(12, '0') as RuleId,
        verdict: 'allow',
        peer: 'any',
        services: [{ protocol: 'tcp', ports: [{ first: port, last: port }], sourcePorts: [] }],
      })),
    },
  }
}

const model: HostModel = makeHost({ nics: [nic('tap1', [22, 80, 443])] })
const target = iptables.desired(model, noFacts)
const hook = '-m comment --comment gitwall -j gw-forward'

/** What a hand may do in one table, as the lines of an iptables-restore. */
const hands: readonly (readonly [string, string])[] = [
  ['puts a rule before our jump', '-I FORWARD 1 -j ACCEPT'],
  ['deletes our jump', `-D FORWARD ${hook}`],
  ['doubles our jump', `-I FORWARD 1 ${hook}\n-A FORWARD ${hook}`],
  ['narrows our jump', `-D FORWARD ${hook}\n-A FORWARD -s 10.0.0.0/8 ${hook}`],
  ['jumps from a chain that we do not hook', '-A OUTPUT -m comment --comment gitwall -j gw-to'],
  ['lets everything in', '-I gw-i-tap1 1 -j ACCEPT'],
  [
    'changes a rule',
    '-R gw-i-tap1 5 -s 192.0.2.0/24 -p tcp -m tcp --dport 22 -m comment --comment "gw:000000000016" -j ACCEPT',
  ],
  [
    'adds a rule outside our vocabulary',
    '-A gw-i-tap1 -m limit --limit 3/min -m comment --comment "say \\"x\\"" -j LOG --log-prefix "a b"',
  ],
  ['empties a chain', '-F gw-deliver'],
  ['adds a chain under our prefix', ':gw-mine - [0:0]\n-A gw-mine -j DROP\n-A gw-deliver -j gw-mine'],
  [
    'empties everything',
    '-F FORWARD\n-F gw-forward\n-F gw-from\n-F gw-to\n-F gw-o-tap1\n-F gw-deliver\n-F gw-i-tap1\n-X gw-i-tap1',
  ],
]

describe.each(['nft', 'legacy'] as const)('chains on the %s back end, when a hand', (backend) => {
  let host: TestHost
  beforeAll(() => {
    host = createHost(backend)
  })
  afterAll(() => host.delete())

  test.each(hands)('%s, are repaired, and the undo puts the hand back', (_, lines) => {
    host.move(iptables, target)
    const before = host.must(['iptables-save', '-t', 'filter'])
    host.must(['iptables-restore', '--noflush'], `*filter\n${lines}\nCOMMIT\n`)
    const fingerprint = host.probe(iptables)
    const changes = diffState(host.read(iptables), target)
    expect(changes).not.toEqual([])
    const [steps, undo] = [iptables.steps(changes, noFacts), iptables.undo(changes, noFacts)]
    for (const moves of [undo, [...steps, ...undo], [...steps, ...undo.slice(0, -2), ...undo]]) {
      host.run(moves)
      expect(host.probe(iptables)).toBe(fingerprint)
    }
    host.run(steps)
    expect(diffState(host.read(iptables), target)).toEqual([])
    host.must(['iptables', '-F', 'OUTPUT'])
    host.must(['iptables', '-F', 'FORWARD'])
    host.move(iptables, target)
    expect(ruleLines(host.must(['iptables-save', '-t', 'filter']))).toEqual(ruleLines(before))
  })

  test('counters of the rules that stay live on', () => {
    host.move(iptables, target)
    const chain = 'gw-i-tap1'
    const saved = host.must(['iptables-save', '-t', 'filter']).split('\n')
    const rules = saved.filter((line) => line.startsWith(`-A ${chain} `))
    host.must(
      ['iptables-restore', '--noflush', '-c'],
      `*filter\n:${chain} - [0:0]\n${rules.map((rule, index) => `[${index + 7}:70] ${rule}`).join('\n')}\nCOMMIT\n`,
    )
    const counted = () =>
      host
        .must(['iptables-save', '-c', '-t', 'filter'])
        .split('\n')
        .filter((line) => line.includes(`] -A ${chain} `))
    const before = counted()
    const next = makeHost({ nics: [nic('tap1', [22, 8080, 443, 8443])] })
    const steps = host.move(iptables, iptables.desired(next, noFacts))
    expect(steps[0]?.stdin.match(/^-/gm)).toHaveLength(3)
    const kept = before.filter((line) => !line.includes('--dport 80 '))
    expect(kept).toHaveLength(before.length - 1)
    expect(counted()).toEqual(expect.arrayContaining(kept))
    expect(counted().filter((line) => line.startsWith('[0:0]'))).toHaveLength(2)
  })
})

function ruleLines(saved: string): readonly string[] {
  return saved
    .split('\n')
    .filter((line) => /^(:gw-|-A )/.test(line))
    .sort()
}

describe('what a host says of its tables', () => {
  let host: TestHost
  beforeAll(() => {
    host = createHost('nft')
  })
  afterAll(() => host.delete())

  test('is empty on a host that nobody touched, and asking creates no legacy table', () => {
    expect(host.read(iptables)).toEqual(new Map())
    const legacy = createHost('legacy')
    expect(legacy.read(iptables)).toEqual(new Map())
    expect(legacy.must(['cat', '/proc/net/ip_tables_names', '/proc/net/ip6_tables_names'])).toBe('')
    legacy.delete()
  })

  test.each(['nft', 'legacy'] as const)(
    'is refused when the back end besides %s holds chains of ours too',
    (backend) => {
      const other = backend === 'nft' ? 'legacy' : 'nft'
      const both = createHost(backend)
      both.move(iptables, target)
      both.must([`ip6tables-${other}`, '-N', 'gw-deliver'])
      expect(() => both.read(iptables)).toThrow(
        `both back ends of IPv6 hold chains of gitwall, and both filter: remove the "gw-" chains of "ip6tables-${other}"`,
      )
      both.must([`ip6tables-${other}`, '-X', 'gw-deliver'])
      expect(both.read(iptables)).toEqual(target)
      both.delete()
    },
  )

  test('is not taken for empty when nft wrote what iptables cannot show', () => {
    host.move(iptables, target)
    host.must(['nft', '-f', '-'], 'add rule ip filter INPUT ct state vmap { new : drop }\n')
    expect(() => host.read(iptables)).toThrow(UnreadableOutput)
  })

  test.each(['iptables-save: command failed', '4 rule gw-a', '4 chain gw-a', '4 ? -X', '5 end'])(
    'is refused when it is not the format: %s',
    (output) => {
      expect(() => iptables.live(output, noFacts)).toThrow(UnreadableOutput)
    },
  )

  test('leads back to the rules of the policy', () => {
    const text = target.get('4 filter gw-i-tap1') ?? ''
    expect(iptables.ruleIds(`${text}\n${text}`)).toEqual(['000000000016', '000000000050', '0000000001bb'])
    expect(iptables.ruleIds(target.get('4 filter gw-deliver') ?? '')).toEqual([])
  })
})
