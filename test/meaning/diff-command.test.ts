import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { smallInventory } from '../fixtures.ts'
import { type Program, buildProgram, createRepository, git, writeFiles } from '../cli/program.ts'

const policies = `firewalls:
  web:
    protects: web
    inbound:
      - { name: public, allow: https, from: any }
      - { name: idle, allow: http, from: any }
tests:
  - { name: shop is public, from: 203.0.113.9, to: guest:web-1, port: tcp/443, expect: allow }
`
let program: Program
let repo: string

function commit(message: string, text: string): void {
  writeFiles(repo, { 'policies/web.yaml': text })
  git(repo, 'add', '-A')
  git(repo, 'commit', '-q', '--allow-empty', '-m', message)
  git(repo, 'tag', message)
}

beforeAll(() => {
  program = buildProgram()
  repo = createRepository({ 'inventory/hosts.yaml': smallInventory, 'policies/web.yaml': policies })
  git(repo, 'tag', 'start')
  commit('renamed', policies.replace('name: idle', 'name: plain'))
  commit('opened', policies.replace('allow: http,', 'allow: [http, tcp/22],'))
  commit('broken', policies.replace('allow: http,', 'alow: http,'))
  commit('closed', policies.replace(/.*name: idle.*\n/, ''))
})
afterAll(() => {
  program.remove()
})

describe('reconcile diff', () => {
  test('ends with 2 and says who may newly talk to whom', async () => {
    const { code, stdout, stderr } = await program.run(['diff', '-C', repo, 'start', 'opened'])
    expect([code, stderr]).toEqual([2, ''])
    expect(stdout).toContain('\nnewly allowed\n+ any → group:web (2 guests)  tcp/22  (inbound)\n')
    expect(stdout).toContain('# "idle" of firewall "web" at policies/web.yaml:6:9')
    expect(stdout).toMatch(
      /objects that differ: \d+ objects on 2 hosts\n {2}hv-1: ovs \d+\n {2}hv-2: iptables \d+\n$/,
    )
  })

  test('ends with 0 when only a name changed, though objects carry another rule id', async () => {
    const { code, stdout } = await program.run(['diff', '-C', repo, 'start', 'renamed'])
    expect(code).toBe(0)
    expect(stdout).toContain('no packet changes its verdict')
    expect(stdout).toContain('objects that differ')
  })

  test('of a commit with itself is empty', async () => {
    const { code, stdout } = await program.run(['diff', '-C', repo, 'start', 'start'])
    expect([code, stdout.split('\n').slice(1)]).toEqual([
      0,
      ['no packet changes its verdict', '', 'no object differs on any host', ''],
    ])
  })

  test('takes the head from --ref, and the files on disk with --worktree', async () => {
    expect((await program.run(['diff', '-C', repo, 'start'])).stdout).toContain(
      '- any → group:web (2 guests)  tcp/80',
    )
    expect((await program.run(['diff', '-C', repo, '--ref', 'opened', 'start'])).stdout).toContain('tcp/22')
    writeFiles(repo, { 'policies/web.yaml': policies.replace('allow: http,', 'allow: udp/9,') })
    expect((await program.run(['diff', '-C', repo, '--worktree', 'start'])).stdout).toContain(
      '+ any → group:web (2 guests)  udp/9',
    )
  })

  test('--exit-zero ends with 0, but not on errors', async () => {
    expect((await program.run(['diff', '--exit-zero', '-C', repo, 'start', 'opened'])).code).toBe(0)
    expect((await program.run(['diff', '--exit-zero', '-C', repo, 'start', 'broken'])).code).toBe(1)
  })

  test.each([[['broken', 'start']], [['start', 'broken']]])(
    'of %j ends with 1 and the errors',
    async (refs) => {
      const { code, stdout, stderr } = await program.run(['diff', '-C', repo, ...refs])
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(/[0-9a-f]{12} has errors/)
      expect(stderr).toContain('policies/web.yaml:6:23: error: unknown key "alow"')
    },
  )

  test('of an unknown commit ends with 1', async () => {
    const { code, stderr } = await program.run(['diff', '-C', repo, 'strat', 'opened'])
    expect(code).toBe(1)
    expect(stderr).toContain('did you mean "start"?')
  })

  test('as JSON', async () => {
    const { code, stdout } = await program.run(['diff', '-C', repo, 'start', 'opened', '--format', 'json'])
    const json = JSON.parse(stdout) as { changes: readonly object[] }
    expect(code).toBe(2)
    expect(json).toMatchObject({
      version: 1,
      command: 'diff',
      base: git(repo, 'rev-parse', 'start'),
      commit: git(repo, 'rev-parse', 'opened'),
    })
    expect(json.changes).toMatchObject([
      {
        kind: 'opened',
        where: 'group:web (2 guests)',
        traffic: [
          { direction: 'inbound', peers: 'any', prefixes: ['0.0.0.0/0', '::/0'], services: 'tcp/22' },
        ],
      },
    ])
  })
})

describe('reconcile validate', () => {
  test('warns by lint, and stays valid', async () => {
    const { code, stdout } = await program.run(['validate', '-C', repo, '--ref', 'opened'])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^policies\/web\.yaml:6:9: warning: rule "idle" of firewall "web" lets the whole world reach ssh/,
    )
    expect(stdout).toContain('1 warning: valid')
  })

  test('--coverage lists the rules that no test exercises', async () => {
    const { code, stdout } = await program.run(['validate', '-C', repo, '--ref', 'start', '--coverage'])
    expect(code).toBe(0)
    expect(stdout).toContain(
      'policies/web.yaml:6:9: no test exercises inbound rule "idle" of firewall "web"\ncoverage: 1 of 2 rules (50 %)\n',
    )
    const json = await program.run([
      'validate',
      '-C',
      repo,
      '--ref',
      'start',
      '--coverage',
      '--format',
      'json',
    ])
    expect(JSON.parse(json.stdout)).toMatchObject({
      coverage: { rules: 2, exercised: 1, missing: [{ name: 'idle' }] },
    })
  })
})
