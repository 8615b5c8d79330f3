import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { smallInventory } from '../fixtures.ts'
import { buildProgram, createRepository, git, type Program, writeFiles } from './program.ts'

const good = `
firewalls:
  web:
    protects: web
    inbound:
      - { name: public, allow: https, from: any }
tests:
  - { name: shop is public, from: 203.0.113.9, to: guest:web-1, port: tcp/443, expect: allow }
`
let program: Program
let repo: string

beforeAll(() => {
  program = buildProgram()
  repo = createRepository({ 'inventory/hosts.yaml': smallInventory, 'policies/web.yaml': good })
})
afterAll(() => {
  program.remove()
})

describe('help', () => {
  test('teaches on stdout, ends with the exit codes, and succeeds', async () => {
    const { code, stdout, stderr } = await program.run(['--help'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^Usage: reconcile/)
    for (const word of [
      'validate',
      'plan',
      'apply',
      'drift',
      'rollback',
      'snapshots',
      'show',
      'schema',
      'Examples:',
    ]) {
      expect(stdout).toContain(word)
    }
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^ {2}6 {2}/)
  })

  test('of a command shows its own options and the common ones', async () => {
    const { code, stdout } = await program.run(['plan', '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain('--exit-zero')
    expect(stdout).toContain('--limit')
  })

  test('and the version need none of the rest of the program', async () => {
    const { stdout } = await program.run(['--version'], {
      env: { NODE_DEBUG: 'esm', NODE_OPTIONS: '--trace-warnings' },
    })
    expect(stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/)
    const text = readFileSync(new URL('../../src/cli/program.ts', import.meta.url), 'utf8')
    const imported = [...text.matchAll(/^import (?!type).*from '(.*)'/gm)].map((match) => match[1])
    expect(imported).toEqual(['node:fs', 'commander', '../repo/suggest.ts', './interrupt.ts'])
  })
})

describe('wrong use ends with 1 and nothing on stdout:', () => {
  test.each<[string[], string]>([
    [['pln'], 'Did you mean plan?'],
    [['nothing-like-that'], "unknown command 'nothing-like-that'"],
    [['plan', '--limt', 'x'], 'Did you mean --limit?'],
    [['plan', 'extra'], 'too many arguments'],
    [['plan', '--forks', '0'], 'Use a whole number from 1 to 1024.'],
    [['plan', '--forks', '1e3'], 'Use a whole number from 1 to 1024.'],
    [['plan', '--confirm-window', '4'], 'Use a whole number from 5 to 3600.'],
    [['plan', '--format', 'xml'], 'Allowed choices are text, json.'],
    [['plan', '--ref', 'main', '--worktree'], 'cannot be used with'],
    [['apply', '--exit-zero'], "unknown option '--exit-zero'"],
    [['show', 'cow', 'x'], 'Allowed choices are host, guest, rule.'],
    [['show', 'host'], "missing required argument 'name'"],
    [['plan', '-C', '/nonexistent'], '/nonexistent: no such directory'],
    [[], 'there is no terminal to ask on: add --yes'],
  ])('reconcile %j', async (args, said) => {
    const { code, stdout, stderr } = await program.run(args)
    expect(stderr).toContain(said)
    expect([code, stdout]).toEqual([1, ''])
  })

  test.each<[string[], string]>([
    [['--host', 'hv-3'], '--host: no hypervisor "hv-3": did you mean "hv-1"?'],
    [['--host', 'web-1'], '--host: no hypervisor "web-1"'],
    [['--limit', 'web'], '"web" selects no hypervisor: known: hv-1, hv-2'],
    [['--limit', 'wbe'], 'did you mean "web"?'],
    [['--ref', 'mian'], 'no commit "mian": did you mean "main"?'],
    [['--ref', '--output=x'], 'no commit "--output=x"'],
  ])('reconcile plan %j', async (args, said) => {
    const { code, stdout, stderr } = await program.run(['-C', repo, 'plan', ...args])
    expect(stderr).toContain(said)
    expect([code, stdout]).toEqual([1, ''])
  })
})

describe('validate', () => {
  test('of a good repository says what it is, and ends with 0', async () => {
    const { code, stdout, stderr } = await program.run(['validate', '-C', repo])
    const commit = git(repo, 'rev-parse', 'HEAD').slice(0, 12)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toBe(
      `${commit}: 2 files, 2 hypervisors, 3 guests, 1 firewall, 1 rule, 1 test passed: valid\n`,
    )
  })

  test('takes its options before the command too', async () => {
    expect((await program.run(['-C', repo, 'validate'])).code).toBe(0)
  })

  test('reads the commit, and says that the work tree differs', async () => {
    const copy = createRepository({ 'inventory/hosts.yaml': smallInventory, 'policies/web.yaml': good })
    writeFiles(copy, { 'policies/web.yaml': good.replace('allow: https', 'alow: https') })
    const committed = await program.run(['validate', '-C', copy])
    expect(committed.code).toBe(0)
    expect(committed.stderr).toMatch(/^note: uncommitted changes/)
    const onDisk = await program.run(['validate', '-C', copy, '--worktree'])
    expect(onDisk.code).toBe(1)
    expect(onDisk.stderr).toBe('')
    expect(onDisk.stdout).toMatch(/^policies\/web\.yaml:6:25: error: unknown key "alow"/)
    rmSync(join(copy, '.git'), { recursive: true })
    const outsideGit = await program.run(['validate', '-C', copy])
    expect(outsideGit.code).toBe(1)
    expect((await program.run(['plan', '-C', copy])).stderr).toContain('not in a Git repository')
  })

  test('as JSON is what programs read', async () => {
    const { code, stdout } = await program.run(['validate', '-C', repo, '--format', 'json'])
    expect(code).toBe(0)
    const commit = git(repo, 'rev-parse', 'HEAD')
    expect(JSON.parse(stdout)).toEqual({ version: 1, command: 'validate', commit, problems: [] })
  })

  test('of a policy test that fails ends with 1', async () => {
    const copy = createRepository({
      'inventory/hosts.yaml': smallInventory,
      'policies/web.yaml': good.replace('expect: allow', 'expect: deny'),
    })
    const { code, stdout } = await program.run(['validate', '-C', copy])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^policies\/web\.yaml:8:\d+: error: .*shop is public/)
  })

  test('of an empty directory does not call it valid', async () => {
    const empty = createRepository({ README: 'x' })
    const { code, stderr } = await program.run(['validate', '-C', empty])
    expect(code).toBe(1)
    expect(stderr).toContain('no file under inventory/ or policies/')
  })

  test('writes to a file when asked, and nothing to stdout', async () => {
    const file = join(repo, 'out.json')
    const { code, stdout } = await program.run(['validate', '-C', repo, '--format', 'json', '-o', file])
    expect([code, stdout]).toEqual([0, ''])
    expect(JSON.parse(readFileSync(file, 'utf8'))).toHaveProperty('version', 1)
    const nowhere = await program.run(['validate', '-C', repo, '-o', '/nonexistent/x'])
    expect([nowhere.code, nowhere.stdout]).toEqual([1, ''])
    expect(nowhere.stderr).toContain('--output: ')
  })

  test('survives a reader that goes away', async () => {
    const { code } = await program.run(['validate', '-C', repo], {
      during: (child) => child.stdout?.destroy(),
    })
    expect(code).toBe(0)
  })
})

describe('schema', () => {
  test.each(['policies', 'inventory', 'report'])('%s is the published one', async (name) => {
    const { code, stdout } = await program.run(['schema', name])
    expect(code).toBe(0)
    expect(stdout).toBe(readFileSync(new URL(`../../schemas/${name}.schema.json`, import.meta.url), 'utf8'))
  })
})
