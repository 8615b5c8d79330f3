import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { smallInventory } from '../fixtures.ts'
import { buildProgram, createRepository, type Program } from './program.ts'

const policies = `
firewalls:
  web:
    protects: web
    inbound:
      - { name: public, allow: https, from: any }
`
let program: Program
let repo: string
beforeAll(() => {
  program = buildProgram()
  repo = createRepository({ 'inventory/hosts.yaml': smallInventory, 'policies/web.yaml': policies })
})
afterAll(() => {
  program.remove()
})

describe('hosts that cannot be reached', () => {
  test.each(['plan', 'drift', 'apply'])('make %s end with 4, and the report says why', async (command) => {
    const args = [command, '-C', repo, '--ssh-config', '/nonexistent']
    const { code, stdout, stderr } = await program.run(args)
    expect(stdout).toContain('hv-1: unreachable\n')
    expect(stdout).toContain('  2 unreachable: hv-1, hv-2\n')
    expect(stderr).toContain('[2/2] ')
    expect(code).toBe(4)
  })

  test('are in the JSON report, and --quiet says nothing beside it', async () => {
    const args = ['plan', '-C', repo, '-F', '/nonexistent', '--host', 'hv-2', '--format', 'json', '-q']
    const { code, stdout, stderr } = await program.run(args)
    expect([code, stderr]).toEqual([4, ''])
    expect(JSON.parse(stdout)).toMatchObject({
      command: 'plan',
      hosts: [{ host: 'hv-2', status: 'unreachable' }],
    })
  })

  test('have no snapshots to show', async () => {
    const { code, stdout, stderr } = await program.run([
      'snapshots',
      '-C',
      repo,
      '-F',
      '/nonexistent',
      '--host',
      'hv-1',
    ])
    expect([code, stdout]).toEqual([4, ''])
    expect(stderr).toContain('reconcile: hv-1: ')
  })
})

test('rollback wants exactly one host', async () => {
  const { code, stderr } = await program.run(['rollback', '-C', repo])
  expect(code).toBe(1)
  expect(stderr).toContain('name exactly one host with --host HOST')
})

/** Hosts that take `seconds` to be refused: ssh_config(5), Match exec. */
function slowConfig(seconds: number): string {
  const file = join(repo, `ssh-config-${seconds}`)
  writeFileSync(
    file,
    `Match exec "sleep ${seconds}"\n  UserKnownHostsFile /nonexistent\n  Port 1\n  HostName 127.0.0.1\n`,
  )
  return file
}

test('the first interrupt begins no further host, and the report still comes', async () => {
  const args = ['plan', '-C', repo, '--forks', '1', '-F', slowConfig(2)]
  const { code, stdout, stderr } = await program.run(args, {
    during: (child) => setTimeout(() => child.kill('SIGINT'), 1200),
  })
  expect(stderr).toContain('reconcile: stopping: ')
  expect(stdout).toContain('hv-2: not begun, because the run was stopped: run it again')
  expect(code).toBe(4)
})

test('the second interrupt ends it at once', async () => {
  const begun = Date.now()
  const { code, stdout } = await program.run(['plan', '-C', repo, '-F', slowConfig(5)], {
    during: (child) => {
      setTimeout(() => child.kill('SIGINT'), 1200)
      setTimeout(() => child.kill('SIGTERM'), 1500)
    },
  })
  expect([code, stdout]).toEqual([1, ''])
  expect(Date.now() - begun).toBeLessThan(4500)
})

describe('show', () => {
  test('host gives the effective policy, with file and line', async () => {
    const { code, stdout } = await program.run(['show', 'host', 'hv-1', '-C', repo])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^host hv-1\n {2}ssh that no policy can shut out: 192\.0\.2\.0\/24\n/)
    expect(stdout).toContain('guest web-1, port tap101i0 on br0 of hv-1, network shop\n')
    expect(stdout).toMatch(
      / {4}allow tcp\/443\S* from any {2}# [0-9a-f]{12} web \/ inbound \/ public \(policies\/web\.yaml:6:\d+\)\n/,
    )
    expect(stdout).toMatch(/^ovs \(\d+ objects?\)$/m)
  })

  test('guest gives its NICs only', async () => {
    const { code, stdout } = await program.run(['show', 'guest', 'db-1', '-C', repo])
    expect(code).toBe(0)
    expect(stdout).toContain('guest db-1, port tap201i0')
    expect(stdout).toContain('  inbound: everything, no firewall speaks of it\n')
    expect(stdout).not.toContain('web-1')
  })

  test('rule leads from a cookie to file, line and places', async () => {
    const host = await program.run(['show', 'host', 'hv-1', '-C', repo])
    const id = /# ([0-9a-f]{12}) web/.exec(host.stdout)?.[1] ?? ''
    for (const name of [id, `0x6777${id}`]) {
      const { code, stdout } = await program.run(['show', 'rule', name, '-C', repo])
      expect(code).toBe(0)
      expect(stdout).toContain(`rule ${id}: web / inbound / public (policies/web.yaml:6:`)
      expect(stdout).toContain('  guest web-2, port tap102i0 on host hv-2\n')
    }
  })

  test('of an unknown name brings the nearest', async () => {
    const { code, stdout, stderr } = await program.run(['show', 'guest', 'wbe-1', '-C', repo])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toBe('reconcile: no guest "wbe-1": did you mean "web-1"?\n')
  })
})
