import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fleet, type Run, startFleet } from '../../lab/fleet.ts'
import type { LabHost } from '../../lab/host.ts'
import { serve, startStream } from '../../lab/traffic.ts'
import { dumpFilters } from './dump.ts'

/** The command as a user runs it, against the demo fleet, in the order of a day. */
let fleet: Fleet

beforeAll(async () => {
  fleet = await startFleet()
}, 120_000)
afterAll(() => fleet.stop())

interface JsonReport {
  readonly hosts: readonly {
    readonly host: string
    readonly status: string
    readonly reason?: string
    readonly changes: readonly {
      readonly kind: string
      readonly key: string
      readonly op: string
      readonly rules: readonly string[]
    }[]
  }[]
  readonly rules: Readonly<Record<string, { readonly firewall: string; readonly name: string }>>
}

async function ok(...args: readonly string[]): Promise<Run> {
  const run = await fleet.reconcile(...args)
  expect(run.code, `reconcile ${args.join(' ')}\n${run.stdout}${run.stderr}`).toBe(0)
  return run
}

async function jsonOf(...args: readonly string[]): Promise<JsonReport> {
  return JSON.parse((await fleet.reconcile(...args, '--format', 'json')).stdout) as JsonReport
}

const names = ['hv-ams-1', 'hv-ams-2', 'hv-fra-1', 'hv-fra-2']

describe('a day with the demo fleet', () => {
  test('validate needs no host and accepts it', async () => {
    expect((await ok('validate')).stdout).toContain('14 tests passed')
  })

  test('plan shows every host and writes nothing', async () => {
    const before = names.map((name) => dumpFilters(fleet.host(name)))
    const run = await fleet.reconcile('plan')
    expect(run.code).toBe(2)
    for (const name of names) expect(run.stdout).toContain(`${name}: will change`)
    expect(names.map((name) => dumpFilters(fleet.host(name)))).toEqual(before)
  })

  test('drift before the first apply says that nothing was ever confirmed', async () => {
    const run = await fleet.reconcile('drift')
    expect(run.code).toBe(2)
    expect(run.stdout).toContain('nothing was ever confirmed on this host')
  })

  test('apply brings every host there, and a second one changes nothing', async () => {
    plantForeignObjects()
    await ok('apply')
    const applied = names.map((name) => dumpFilters(fleet.host(name)))
    await ok('plan')
    await ok('drift')
    const again = await jsonOf('apply')
    expect(again.hosts.map((host) => host.status)).toEqual(['in-sync', 'in-sync', 'in-sync', 'in-sync'])
    expect(names.map((name) => dumpFilters(fleet.host(name)))).toEqual(applied)
    expectForeignObjects()
  })

  test.each([
    ['a flow', 'hv-ams-1', 'web / inbound / public (policies/shop.yaml:', deleteFlow],
    ['a rule', 'hv-fra-1', 'web / inbound / public (policies/shop.yaml:', deleteRule],
    ['a set member', 'hv-fra-1', 'cache / inbound / redis (policies/shop.yaml:', deleteMember],
    ['the hook in FORWARD', 'hv-fra-1', 'FORWARD', deleteHook],
    ['an anti-spoofing rule', 'hv-fra-1', 'from-tap103i0', deleteAntispoof],
  ])('%s that is deleted by hand is drift, named, and repaired', async (_, name, named, damage) => {
    const host = fleet.host(name)
    const before = dumpFilters(host)
    damage(host)
    expect(dumpFilters(host), 'the damage must be real').not.toBe(before)
    const drift = await fleet.reconcile('drift')
    expect(drift.code, drift.stdout + drift.stderr).toBe(2)
    expect(drift.stdout).toContain(`${name}: `)
    expect(drift.stdout).toContain(named)
    await ok('--host', name, '--yes')
    await ok('drift')
    expect(dumpFilters(host)).toBe(before)
  })

  test('a rule that is added by hand inside our objects is drift, too', async () => {
    const host = fleet.host('hv-fra-1')
    host.must(['iptables', '-w', '-I', 'gw-i-tap103i0', '1', '-j', 'ACCEPT'])
    host.must(['ip6tables', '-w', '-I', 'FORWARD', '1', '-p', 'udp', '-j', 'ACCEPT'])
    const drift = await jsonOf('drift')
    const keys = drift.hosts.flatMap((one) => one.changes.map((change) => change.key))
    expect(keys).toEqual(['4 filter gw-i-tap103i0', '6 filter FORWARD'])
    await ok('--host', 'hv-fra-1', '--yes')
    await ok('drift')
    // The foreign rule is not ours to delete; ours stands before it again.
    expect(host.must(['ip6tables', '-S', 'FORWARD']).split('\n').slice(1, 3)).toEqual([
      '-A FORWARD -m comment --comment gitwall -j gw-forward',
      '-A FORWARD -p udp -j ACCEPT',
    ])
    host.must(['ip6tables', '-w', '-D', 'FORWARD', '-p', 'udp', '-j', 'ACCEPT'])
  })

  test('one edited line of a policy changes only the objects of that line', async () => {
    const from = '{ name: from web, allow: shop-api, from: group:web }'
    fleet.commit('one more port', [
      { file: 'policies/shop.yaml', from, to: from.replace('shop-api', '[shop-api, tcp/7443]') },
    ])
    const plan = await jsonOf('plan')
    const changes = plan.hosts.flatMap((host) => host.changes)
    expect(changes.length).toBeGreaterThan(2)
    const rules = new Set(changes.filter((change) => change.kind === 'ovs').flatMap((change) => change.rules))
    expect([...rules].map((id) => plan.rules[id]?.name)).toEqual(['from web'])
    expect(new Set(changes.filter((change) => change.kind !== 'ovs').map((change) => change.key))).toEqual(
      new Set(['4 filter gw-i-tap113i0', '6 filter gw-i-tap113i0']),
    )
  })

  test('counters of rules that did not change live on', async () => {
    const host = fleet.host('hv-fra-1')
    const counters = () =>
      host
        .must(['iptables-save', '-c', '-t', 'filter'])
        .split('\n')
        .filter((line) => line.includes('-A gw-input') && line.includes('gw:management'))
    const before = counters()
    expect(before[0]).not.toContain('[0:0]')
    await ok('apply')
    const [packetsBefore, packetsAfter] = [before, counters()].map((lines) =>
      Number(/\[(\d+):/.exec(lines[0] ?? '')?.[1]),
    )
    expect(packetsAfter).toBeGreaterThanOrEqual(packetsBefore ?? Number.NaN)
  })

  test('rollback returns to the bytes of before', async () => {
    for (const name of ['hv-ams-1', 'hv-fra-1']) {
      const before = dumpFilters(fleet.host(name))
      fleet.commit(`a change for ${name}`, [
        {
          file: 'policies/shop.yaml',
          from: 'name: public, allow: [http, https]',
          to: 'name: public, allow: [https, tcp/8088]',
        },
      ])
      await ok('--host', name, '--yes')
      expect(dumpFilters(fleet.host(name))).not.toBe(before)
      await ok('rollback', '--host', name)
      expect(dumpFilters(fleet.host(name))).toBe(before)
      fleet.commit('and back', [
        {
          file: 'policies/shop.yaml',
          from: 'name: public, allow: [https, tcp/8088]',
          to: 'name: public, allow: [http, https]',
        },
      ])
      await ok('apply')
    }
    expectForeignObjects()
    expect((await ok('snapshots', '--host', 'hv-ams-1')).stdout.trim().split('\n').length).toBeGreaterThan(2)
  })

  test.each([
    ['Open vSwitch', 'web-1', 'app-1', '10.0.0.21'],
    ['a Linux bridge', 'web-3', 'app-3', '2001:db8:0:10::23'],
  ])('removing a rule cuts a running TCP stream behind %s', async (_, from, to, address) => {
    const server = await serve(guest(to), { tcp: [9005] })
    const stream = await startStream(guest(from), address, 9005)
    try {
      const line = '      - { name: from web, allow: [shop-api, tcp/7443], from: group:web }\n'
      fleet.commit('web may not', [
        { file: 'policies/shop.yaml', from: line, to: '' },
        ...tests('expect: allow', 'expect: deny'),
      ])
      await ok('apply')
      const count = stream.messageCount()
      await delay(1500)
      expect(stream.messageCount() - count).toBeLessThan(2)
      fleet.commit('web may again', [
        {
          file: 'policies/shop.yaml',
          from: '  app:\n    protects: app\n    inbound:\n',
          to: `  app:\n    protects: app\n    inbound:\n${line}`,
        },
        ...tests('expect: deny', 'expect: allow'),
      ])
      await ok('apply')
    } finally {
      await stream.stop()
      await server.stop()
    }
  })
})

describe('trace', () => {
  const question = ['--from', '203.0.113.9', '--to', 'web-3', '--port', 'https']

  test('answers from Git alone, with the deciding rule', async () => {
    const run = await ok('trace', ...question)
    expect(run.stdout).toContain('web / inbound / public (policies/shop.yaml:')
    expect(run.stdout).toContain('hosts   accept')
  })

  test('answers from the hosts, and says when a foreign rule decides otherwise', async () => {
    expect((await ok('trace', ...question, '--live')).stdout).toContain('hosts   accept')
    const host = fleet.host('hv-fra-1')
    const rule = ['-p', 'tcp', '-m', 'tcp', '--dport', '443', '-j', 'DROP']
    host.must(['iptables', '-w', '-I', 'FORWARD', '1', ...rule])
    try {
      const run = await ok('trace', ...question, '--live')
      expect(run.stdout).toContain('hosts   drop  DIFFERS FROM THE POLICY')
      expect(run.stdout).toContain('ip filter FORWARD: -A FORWARD -p tcp -m tcp --dport 443 -j DROP')
    } finally {
      host.must(['iptables', '-w', '-D', 'FORWARD', ...rule])
    }
  })

  test.each([
    [
      'hv-ams-1',
      'bridge=br0,in=uplink0,out=tap101i0,dl_src=02:00:5e:10:00:01,dl_dst=52:54:00:00:01:01,src=203.0.113.9,dst=10.0.0.11,proto=tcp,dport=',
    ],
    [
      'hv-fra-1',
      'bridge=vmbr0,in=uplink0,out=tap103i0,dl_src=02:00:5e:10:00:01,dl_dst=52:54:00:00:01:03,src=203.0.113.9,dst=10.0.0.13,proto=tcp,dport=',
    ],
  ])('answers from the files that capture takes home from %s', async (name, packet) => {
    const files = join(fleet.directory, `capture-${name}`)
    await ok('capture', '--host', name, '--out', files)
    const verdictOf = async (port: number) => {
      const run = await ok('trace', '--state', files, '--packet', `${packet}${port}`, '--format', 'json')
      return (JSON.parse(run.stdout) as { verdict: string }).verdict
    }
    expect([await verdictOf(443), await verdictOf(444)]).toEqual(['accept', 'drop'])
  })

  test('agrees with the policy over flows that the switch itself prints', async () => {
    const run = await ok('trace', '--from', 'web-1', '--to', 'app-1', '--port', 'tcp/9005', '--live')
    expect(run.stdout).not.toContain('DIFFERS')
    expect(run.stdout).toContain('app / inbound / from web')
  })
})

/** The policies' own test of the rule that a test here takes away. */
function tests(from: string, to: string) {
  const line = '{ name: web servers reach the API, from: group:web, to: group:app, port: tcp/9005, '
  return [{ file: 'policies/tests.yaml', from: line + from, to: line + to }]
}

function deleteFlow(host: LabHost): void {
  const line = host
    .must(['ovs-ofctl', '-O', 'OpenFlow14', 'dump-flows', 'br0', '--no-stats'])
    .split('\n')
    .find((flow) => flow.includes('tp_dst=443'))
  const match = /(table=\d+), (priority=\S+)/.exec(line ?? '')
  host.must(['ovs-ofctl', '-O', 'OpenFlow14', '--strict', 'del-flows', 'br0', `${match?.[1]},${match?.[2]}`])
}

function deleteRule(host: LabHost): void {
  const rules = host.must(['iptables', '-S', 'gw-i-tap103i0']).split('\n').slice(1)
  host.must([
    'iptables',
    '-w',
    '-D',
    'gw-i-tap103i0',
    `${rules.findIndex((rule) => rule.includes('443')) + 1}`,
  ])
}

function deleteMember(host: LabHost): void {
  const rule = host
    .must(['iptables', '-S', 'gw-i-tap131i0'])
    .split('\n')
    .find((line) => line.includes('6379'))
  const set = /--match-set (\S+)/.exec(rule ?? '')?.[1] ?? ''
  const member =
    host
      .must(['ipset', 'save', set])
      .split('\n')
      .find((line) => line.startsWith('add'))
      ?.split(' ')[2] ?? ''
  host.must(['ipset', 'del', set, member])
}

function deleteHook(host: LabHost): void {
  host.must(['iptables', '-w', '-D', 'FORWARD', '-m', 'comment', '--comment', 'gitwall', '-j', 'gw-forward'])
}

function deleteAntispoof(host: LabHost): void {
  const lines = host.must(['nft', '-a', 'list', 'chain', 'bridge', 'gitwall', 'from-tap103i0']).split('\n')
  const handle = /# handle (\d+)/.exec(lines.find((line) => line.includes('udp sport 67')) ?? '')?.[1] ?? ''
  host.must(['nft', 'delete', 'rule', 'bridge', 'gitwall', 'from-tap103i0', 'handle', handle])
}

/** What Docker, a colleague or another tool may have put beside us. */
function plantForeignObjects(): void {
  for (const name of ['hv-fra-1', 'hv-fra-2', 'hv-ams-1']) {
    const host = fleet.host(name)
    host.must(['ipset', 'create', 'colleague', 'bitmap:port', 'range', '1-100'])
    host.must(['iptables', '-w', '-N', 'DOCKER-USER'])
    host.must([
      'iptables',
      '-w',
      '-A',
      'DOCKER-USER',
      '-s',
      '198.18.0.0/15',
      '-m',
      'comment',
      '--comment',
      'it\'s "ours"',
      '-j',
      'RETURN',
    ])
    host.must(['iptables', '-w', '-A', 'FORWARD', '-j', 'DOCKER-USER'])
    host.must(['nft', 'add', 'table', 'inet', 'colleague'])
    host.must(['nft', 'add', 'chain', 'inet', 'colleague', 'gw-looks-like-ours'])
  }
  fleet
    .host('hv-ams-1')
    .must([
      'ovs-ofctl',
      '-O',
      'OpenFlow14',
      'add-flow',
      'br0',
      'cookie=0x1234,table=200,priority=7,tcp,tp_dst=443,actions=drop',
    ])
}

function expectForeignObjects(): void {
  for (const name of ['hv-fra-1', 'hv-fra-2', 'hv-ams-1']) {
    const host = fleet.host(name)
    expect(host.must(['iptables', '-S', 'DOCKER-USER'])).toBe(
      '-N DOCKER-USER\n-A DOCKER-USER -s 198.18.0.0/15 -m comment --comment "it\\\'s \\"ours\\"" -j RETURN\n',
    )
    expect(host.must(['iptables', '-S', 'FORWARD'])).toContain('-A FORWARD -j DOCKER-USER\n')
    expect(host.must(['ipset', 'list', '-n'])).toContain('colleague')
    expect(host.must(['nft', 'list', 'table', 'inet', 'colleague'])).toContain('gw-looks-like-ours')
  }
  expect(
    fleet
      .host('hv-ams-1')
      .must(['ovs-ofctl', '-O', 'OpenFlow14', 'dump-flows', 'br0', '--no-stats', 'table=200']),
  ).toContain('cookie=0x1234, table=200, priority=7,tcp,tp_dst=443 actions=drop')
}

function guest(name: string) {
  const found = fleet.lab.guests.get(name)
  if (found === undefined) throw new Error(`no guest ${name}`)
  return found
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
