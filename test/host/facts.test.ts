import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OpenVSwitch, startOpenVSwitch } from '../../lab/openvswitch.ts'
import { type Shared, closeShared, createShared } from '../../src/host/bastion.ts'
import { read } from '../../src/host/read.ts'
import { connect } from '../../src/host/ssh.ts'
import type { SshTarget } from '../../src/host/ssh-config.ts'
import { factsProbe, parseFacts } from '../../src/kernel/facts-probe.ts'
import type { HostFacts } from '../../src/kernel/facts.ts'
import { type TestHost, startTestHost } from './test-host.ts'

let host: TestHost
let ovs: OpenVSwitch | undefined
let shared: Shared

beforeAll(async () => {
  host = await startTestHost()
  shared = createShared()
  const ip = (...args: readonly string[]) => host.namespace.must(['ip', ...args])
  ip('link', 'add', 'vmbr0', 'address', '02:00:00:00:00:01', 'type', 'bridge')
  ip('link', 'add', 'tap1', 'address', '02:00:00:00:00:02', 'type', 'veth', 'peer', 'name', 'eth0')
  ip('link', 'set', 'tap1', 'master', 'vmbr0')
  ip('link', 'add', 'tap2', 'address', '02:00:00:00:00:03', 'type', 'veth', 'peer', 'name', 'eth1')
})
afterAll(async () => {
  await closeShared(shared)
  ovs?.stop()
  await host.stop()
})

async function readFacts(target: SshTarget): Promise<HostFacts> {
  const connection = await connect(target, { shared, retryDelaysMs: [] })
  const reading = await read(connection, [{ name: 'facts', script: factsProbe }])
  connection.close()
  const output = reading.outputs.get('facts')
  expect(output).toMatchObject({ code: 0, stderr: '' })
  return parseFacts(output?.stdout ?? '')
}

describe('facts of a host', () => {
  test('without a running Open vSwitch tell its links and our connection', async () => {
    const facts = await readFacts(host.target)
    expect([facts.sshSource, facts.sshDestination, facts.sshPort]).toEqual(['127.0.0.1', '127.0.0.1', 22])
    expect(facts.links.get('tap1')).toEqual({ bridge: 'vmbr0', mac: '02:00:00:00:00:02' })
    expect(facts.links.get('vmbr0')).toEqual({ mac: '02:00:00:00:00:01' })
    expect(facts.links.get('lo')).toEqual({})
    for (const tool of ['ipset', 'nft', 'ovs-ofctl', 'iptables-nft-save', 'iptables-legacy-save'])
      expect(facts.tools).toContain(tool)
    expect(facts.sysctls.get('net.netfilter.nf_conntrack_tcp_loose')).toMatch(/^[01]$/)
    expect([facts.ovsPorts.size, facts.ovsBridges.size]).toEqual([0, 0])
  })

  test('tell the bridges and ports of Open vSwitch', async () => {
    const { vsctl } = (ovs = startOpenVSwitch(host.namespace, join(host.directory, 'run/openvswitch')))
    vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev', 'fail_mode=secure')
    vsctl('add-br', 'br1', '--', 'set', 'bridge', 'br1', 'datapath_type=netdev')
    vsctl('set-controller', 'br1', 'tcp:127.0.0.1:1', 'tcp:127.0.0.1:2')
    vsctl('add-port', 'br0', 'tap2', '--', 'set', 'interface', 'tap2', 'ofport_request=7')
    vsctl(
      'add-port',
      'br0',
      'patch0',
      '--',
      'set',
      'interface',
      'patch0',
      'type=patch',
      'options:peer=patch1',
    )
    vsctl(
      'add-port',
      'br1',
      'patch1',
      '--',
      'set',
      'interface',
      'patch1',
      'type=patch',
      'options:peer=patch0',
    )
    vsctl('--no-wait', 'add-port', 'br0', 'absent0')
    const facts = await readFacts(host.target)
    expect(facts.ovsBridges).toEqual(
      new Map([
        ['br0', { failMode: 'secure', datapathType: 'netdev', controllers: 0 }],
        ['br1', { failMode: '', datapathType: 'netdev', controllers: 2 }],
      ]),
    )
    expect(facts.ovsPorts.get('tap2')).toEqual({
      bridge: 'br0',
      ofport: 7,
      mac: '02:00:00:00:00:03',
      type: '',
    })
    expect(facts.ovsPorts.get('patch1')).toMatchObject({ bridge: 'br1', type: 'patch' })
    expect(facts.ovsPorts.get('br0')).toMatchObject({ bridge: 'br0', ofport: 65534, type: 'internal' })
    expect(facts.ovsPorts.has('absent0')).toBe(false)
  })

  test('know our connection under sudo too, which clears the environment', async () => {
    const sudo = join(host.directory, 'run/bin/sudo')
    writeFileSync(sudo, '#!/bin/sh\nshift; env -i "$@"\n', { mode: 0o755 })
    const facts = await readFacts({ ...host.target, become: true })
    expect([facts.sshSource, facts.sshPort]).toEqual(['127.0.0.1', 22])
  })

  test('are refused when the database of Open vSwitch does not answer', async () => {
    ovs?.stop()
    ovs = undefined
    host.run([
      'sh',
      '-c',
      'rm -f /run/openvswitch/db.sock; exec python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\'/run/openvswitch/db.sock\')"',
    ])
    const connection = await connect(host.target, { shared, retryDelaysMs: [] })
    const { outputs } = await read(connection, [{ name: 'facts', script: factsProbe }])
    connection.close()
    expect(outputs.get('facts')?.code).not.toBe(0)
  })
})

describe('facts that no probe printed', () => {
  const good = 'ssh \nlinks []\nbridges []\n'
  const table = (headings: string, data: string) => `{"headings":[${headings}],"data":[${data}]}`

  test('are told from good ones', () => {
    expect(parseFacts(good).links.size).toBe(0)
  })

  test.each([
    ['nothing', ''],
    ['a line cut off', good.slice(0, -1)],
    ['no links', 'ssh \nbridges []\n'],
    ['links twice', `${good}links []\n`],
    ['an unknown line', `${good}hello world\n`],
    ['links that are no JSON', good.replace('links []', 'links [')],
    ['links that are no list', good.replace('links []', 'links {}')],
    ['a link without a name', good.replace('links []', 'links [{}]')],
    ['a port that is none', good.replace('ssh ', 'ssh 192.0.2.1 1 192.0.2.2 70000')],
    ['a sysctl that is no number', `${good}sysctl a/b x\n`],
    ['one table of three', `${good}ovs-Bridge ${table('"name"', '')}\n`],
    [
      'tables without their columns',
      `${good}ovs-Bridge ${table('"name"', '')}\novs-Port ${table('', '')}\novs-Interface ${table('', '')}\n`,
    ],
  ])('are refused: %s', (_, text) => {
    expect(() => parseFacts(text)).toThrow(/^facts of the host: /)
  })

  test('do not take a bond, a VRF or the datapath of Open vSwitch for a bridge', () => {
    const links =
      '[{"ifname":"tap1","master":"vmbr0"},{"ifname":"tap2","master":"ovs-system"},{"ifname":"vmbr0"}]'
    const facts = parseFacts(`ssh \nlinks ${links}\nbridges [{"ifname":"vmbr0"}]\n`)
    expect([...facts.links]).toEqual([
      ['tap1', { bridge: 'vmbr0' }],
      ['tap2', {}],
      ['vmbr0', {}],
    ])
  })

  test('leave out names that no inventory can give', () => {
    const names = ['tap0', 'a b', '../x', 'x'.repeat(16), "'", '\u001b[2J']
    const links = JSON.stringify(names.map((ifname) => ({ ifname })))
    expect([...parseFacts(good.replace('links []', `links ${links}`)).links.keys()]).toEqual(['tap0'])
  })
})
