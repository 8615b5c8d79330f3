import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fleet, type Run, runCommand, startFleet } from '../../lab/fleet.ts'
import type { LabHost } from '../../lab/host.ts'
import { dumpFilters, dumpHost } from './dump.ts'

/** Bad hosts, bad luck and bad input, in an order: each test leaves the fleet as good as it found it. */
let fleet: Fleet

beforeAll(async () => {
  fleet = await startFleet((plan) => ({
    ...plan,
    hosts: plan.hosts.map((host) => ({
      ...host,
      ...(host.name === 'hv-fra-1' ? { iptables: 'legacy' as const } : {}),
      ...(host.name === 'hv-fra-2' ? { without: ['ipset'] } : {}),
    })),
  }))
}, 120_000)
afterAll(() => fleet.stop())

/** Every host but the one that cannot be reconciled. */
const sound = ['--limit', 'hypervisors:!hv-fra-2']

async function run(code: number, ...args: readonly string[]): Promise<Run> {
  const result = await fleet.reconcile(...args)
  expect(result.code, `reconcile ${args.join(' ')}\n${result.stdout}${result.stderr}`).toBe(code)
  return result
}

function hosts(): readonly LabHost[] {
  return [...fleet.lab.hosts.values()]
}

/** Runs the command, expects its code, and every host as it was, with what it remembers. Gives back what was said. */
async function runWithoutWriting(code: number, ...args: readonly string[]): Promise<string> {
  const before = hosts().map(dumpHost)
  const { stdout, stderr } = await run(code, ...args)
  expect(hosts().map(dumpHost)).toEqual(before)
  return stdout + stderr
}

let publicServices = '[http, https]'

/** Commits a policy that changes flows or rules of every host. */
function commitChange(port: number): void {
  const services = `[https, tcp/${port}]`
  const line = (text: string) => `name: public, allow: ${text}`
  fleet.commit('another port', [
    { file: 'policies/shop.yaml', from: line(publicServices), to: line(services) },
  ])
  publicServices = services
}

describe('refused before the first write:', () => {
  test('an empty repository, and one without commits', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'gitwall-empty-'))
    const git = (...args: readonly string[]) =>
      spawnSync('git', ['-C', directory, '-c', 'user.name=t', '-c', 'user.email=t@example.net', ...args])
    try {
      git('init', '-q', '-b', 'main')
      const unborn = await runCommand(directory, ['apply', '--yes'])
      expect([unborn.code, unborn.stderr]).toEqual([1, expect.stringContaining('commit')])
      git('commit', '-q', '--allow-empty', '-m', 'nothing')
      const empty = await runCommand(directory, ['apply', '--yes'])
      expect([empty.code, empty.stderr]).toEqual([1, expect.stringContaining('no file under inventory/')])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  test('a host that the inventory does not have', async () => {
    const said = await runWithoutWriting(1, 'apply', '--host', 'hv-ams-3')
    expect(said).toContain('no hypervisor "hv-ams-3": did you mean "hv-ams-1"?')
  })

  test('a host without a tool stops the run for all', async () => {
    const said = await runWithoutWriting(3, 'apply')
    expect(said).toContain('hv-fra-2: refused, nothing was written')
    expect(said).toContain('the host lacks ipset: install')
  })

  test('a host whose key is another one, or not known', async () => {
    const known = readFileSync(fleet.lab.knownHostsFile, 'utf8').trimEnd().split('\n')
    const file = join(fleet.directory, '.git', 'known')
    const keyOf = (name: string) =>
      known
        .find((line) => line.includes(name))
        ?.split(' ')
        .slice(1)
        .join(' ')
    const address = fleet.host('hv-ams-1').address
    const apply = ['apply', '--host', 'hv-ams-1', '--known-hosts', file]
    writeFileSync(file, `${address} ${keyOf('hv-ams-2')}\n`)
    const changed = await runWithoutWriting(4, ...apply)
    expect(changed).toContain('hv-ams-1: unreachable')
    expect(changed).toContain('HOST KEY CHANGED')
    expect(changed).toContain(`not the key at ${file}:1`)
    writeFileSync(file, `${known.filter((line) => !line.includes('hv-ams-1')).join('\n')}\n`)
    const unknown = await runWithoutWriting(4, ...apply)
    expect(unknown).toContain('host key not known')
    expect(unknown).toContain(`run "ssh-keyscan ${address}"`)
  })

  test('a policy that would lock us out', async () => {
    const management = {
      file: 'inventory/group_vars/hypervisors.yaml',
      from: 'gitwall_management: [192.0.2.0/24]',
      to: 'gitwall_management: []',
    }
    const rule = '      - { name: ssh, allow: ssh, from: [set:office, group:bastion] }\n'
    const ssh = { file: 'policies/common.yaml', from: rule, to: '' }
    fleet.commit('nobody logs in any more', [management, ssh])
    try {
      expect(await runWithoutWriting(3, 'apply', ...sound)).toContain(
        'this policy would lock us out: SSH from 192.0.2.1 to port 22 is denied',
      )
    } finally {
      const metrics = '      - { name: metrics'
      fleet.commit('as before', [
        { ...management, from: management.to, to: management.from },
        { ...ssh, from: metrics, to: rule + metrics },
      ])
    }
  })

  test('a host whose bridges do not show frames to iptables', async () => {
    bridgeNetfilter('0')
    try {
      const said = await runWithoutWriting(3, 'apply', '--host', 'hv-fra-1')
      expect(said).toContain('UNPROTECTED: net.bridge.bridge-nf-call-iptables is 0')
    } finally {
      bridgeNetfilter('1')
    }
  })
})

function bridgeNetfilter(value: '0' | '1'): void {
  fleet.host('hv-fra-1').must(['sysctl', '-qw', `net.bridge.bridge-nf-call-iptables=${value}`])
}

test('one host without sshd is unreachable; the others are done', async () => {
  const absent = fleet.host('hv-ams-2')
  const before = dumpHost(absent)
  absent.stopSsh()
  const { stdout } = await run(4, 'apply', ...sound)
  expect(stdout).toContain('hv-ams-2: unreachable')
  expect(stdout).toContain(`nobody listens on ${absent.address}:22`)
  expect(stdout).toContain('2 changed and confirmed: hv-ams-1, hv-fra-1')
  expect(dumpHost(absent)).toBe(before)
  await run(0, 'drift', '--host', 'hv-ams-1', '--host', 'hv-fra-1')
  absent.startSsh()
  await listening(absent)
  await run(0, 'apply', '--host', absent.name)
})

describe('a host with the legacy iptables', () => {
  test('has our rules there and not in nftables', () => {
    const host = fleet.host('hv-fra-1')
    expect(host.must(['iptables', '-V'])).toContain('legacy')
    expect(host.must(['iptables-legacy-save'])).toContain('gw-i-tap103i0')
    expect(host.must(['iptables-nft-save'])).not.toContain('gw-')
  })

  test('has its drift found and repaired', async () => {
    const host = fleet.host('hv-fra-1')
    const before = dumpFilters(host)
    host.must(['ip6tables', '-w', '-F', 'gw-i-tap103i0'])
    host.must(['iptables', '-w', '-D', 'FORWARD', '1'])
    const { stdout } = await run(2, 'drift', '--host', host.name)
    expect(stdout).toContain('~ 6 filter gw-i-tap103i0')
    expect(stdout).toContain('web / inbound / public (policies/shop.yaml:')
    expect(stdout).toContain('- 4 filter FORWARD')
    await run(0, 'apply', '--host', host.name)
    expect(dumpFilters(host)).toBe(before)
  })

  test('is rolled back to the bytes of before', async () => {
    const host = fleet.host('hv-fra-1')
    const before = dumpFilters(host)
    commitChange(8001)
    await run(0, 'apply', '--host', host.name)
    expect(dumpFilters(host)).not.toBe(before)
    await run(0, 'rollback', '--host', host.name)
    expect(dumpFilters(host)).toBe(before)
  })

  test('is not called in sync while its bridges bypass it', async () => {
    bridgeNetfilter('0')
    try {
      expect(await runWithoutWriting(3, 'drift', '--host', 'hv-fra-1')).toContain('hv-fra-1: UNPROTECTED')
    } finally {
      bridgeNetfilter('1')
    }
    await run(0, 'drift', '--host', 'hv-fra-1')
  })
})

describe('a host of ours that fell ill is refused:', () => {
  const host = () => fleet.host('hv-ams-1')

  test('without a running Open vSwitch', async () => {
    host().must(['mv', '/run/openvswitch', '/run/stopped'])
    try {
      const said = await runWithoutWriting(3, 'plan', '--host', host().name)
      expect(said).toContain('hv-ams-1: refused')
      expect(said).toContain('"br0"')
    } finally {
      host().must(['mv', '/run/stopped', '/run/openvswitch'])
    }
  })

  test('with a disk that became read-only', async () => {
    commitChange(8000)
    host().must(['mount', '-o', 'remount,bind,ro', '/var/lib'])
    try {
      const said = await runWithoutWriting(3, 'apply', '--host', host().name)
      expect(said).toContain('hv-ams-1: refused, nothing was written')
      expect(said).toContain('cannot write to /var/lib/gitwall')
    } finally {
      host().must(['mount', '-o', 'remount,bind,rw', '/var/lib'])
    }
  })
})

describe('a change that fails halfway', () => {
  test('because of a tool is taken back, and works once the tool does', async () => {
    const host = fleet.host('hv-fra-1')
    const before = dumpFilters(host)
    commitChange(8002)
    // Fails once: what goes back needs the tool, too.
    const script = `#!/bin/sh
if [ -e /run/failing ]; then rm /run/failing; echo "line 3 failed" >&2; exit 1; fi
exec /usr/sbin/ip6tables-legacy-restore "$@"
`
    host.must(['tee', '/run/wrapper', '/run/failing'], script)
    host.must(['chmod', '755', '/run/wrapper'])
    host.must(['ln', '-sf', '/run/wrapper', '/etc/alternatives/ip6tables-restore'])
    const { stdout } = await run(5, 'apply', '--host', host.name)
    expect(stdout).toContain('hv-fra-1: failed, rolled back')
    expect(stdout).toMatch(/step \d+ \(ip6tables-restore .*\) failed with code 1: line 3 failed/)
    expect(host.run(['test', '-e', '/run/failing']).code, 'it must have failed there').not.toBe(0)
    expect(dumpFilters(host)).toBe(before)
    await run(0, 'drift', '--host', host.name)
    await run(0, 'apply', '--host', host.name)
    expect(dumpFilters(host)).not.toBe(before)
  })

  test('because the controller is killed is taken back by the host itself', async () => {
    const host = fleet.host('hv-ams-1')
    const before = dumpFilters(host)
    commitChange(8003)
    const { child, ended } = start('apply', '--host', host.name, '--confirm-window', '5')
    await whenArmed(host, () => child.kill('SIGKILL'))
    await ended
    const killed = performance.now()
    await until(() => dumpFilters(host) !== before, 4000)
    await until(() => dumpFilters(host) === before, 9000)
    expect(performance.now() - killed).toBeLessThan(7000)
    await run(0, 'drift', '--host', host.name)
    await run(0, 'apply', '--host', host.name)
    expect(dumpFilters(host)).toContain('tp_dst=8003')
  })

  test('because the link is cut is taken back, and said to be so', async () => {
    const host = fleet.host('hv-ams-1')
    const before = dumpFilters(host)
    commitChange(8004)
    const cut = whenArmed(host, () => host.must(['ip', 'link', 'set', 'mgmt0', 'down'])).then(async () => {
      await delay(5500)
      host.must(['ip', 'link', 'set', 'mgmt0', 'up'])
    })
    const window = ['--confirm-window', '5', '--timeout', '3']
    const { stdout } = await run(5, 'apply', '--host', host.name, ...window)
    await cut
    expect(stdout).toContain('hv-ams-1: failed, rolled back')
    expect(dumpFilters(host)).toBe(before)
  })
})

test('two runs at the same time do no harm: each host is changed by one of them', async () => {
  commitChange(8005)
  const runs = await Promise.all([fleet.reconcile('apply', ...sound), fleet.reconcile('apply', ...sound)])
  const said = runs.map(({ stdout, stderr }) => stdout + stderr).join('\n')
  // A run that comes too late everywhere finds nothing to do. Where each wins a host, both are refused on the other's: 5, since something was written.
  for (const { code } of runs) expect([0, 3, 5], said).toContain(code)
  await run(0, 'drift', ...sound)
  await run(0, 'plan', ...sound)
})

/** The command in the background, for those who end it. Ends by itself after a minute. */
function start(...args: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<void> } {
  const main = join(import.meta.dirname, '../../dist/cli/main.js')
  const options = ['-C', fleet.directory, '-F', fleet.lab.sshConfigFile]
  const child = spawn(process.execPath, [main, ...options, ...args], {
    env: { ...process.env, CI: '1', SSH_AUTH_SOCK: '' },
    stdio: 'ignore',
    timeout: 60_000,
  })
  return { child, ended: new Promise((resolve) => child.once('close', () => resolve())) }
}

/** Calls `act` as soon as a new transaction is armed on the host. */
async function whenArmed(host: LabHost, act: () => void): Promise<void> {
  const directory = join(host.stateDirectory, 'tx')
  const ids = () => (existsSync(directory) ? readdirSync(directory) : [])
  const old = new Set(ids())
  await until(() => ids().some((id) => !old.has(id) && existsSync(join(directory, id, 'armed'))), 20_000, 2)
  act()
}

async function until(holds: () => boolean, limitMs: number, pauseMs = 20): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`it did not happen within ${limitMs} ms`)
    await delay(pauseMs)
  }
}

async function listening(host: LabHost): Promise<void> {
  await until(() => host.run(['sh', '-c', 'ss -Hltn sport = :22 | grep -q .']).code === 0, 5000)
}
