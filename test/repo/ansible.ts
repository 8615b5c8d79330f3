import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readInventory } from '../../src/repo/inventory.ts'
import { matchPattern, parsePattern } from '../../src/repo/pattern.ts'
import type { Problem } from '../../src/repo/problem.ts'
import { compileSchemas } from '../../src/repo/validate.ts'
import { plainValue } from '../../src/repo/yaml-node.ts'

/** What an inventory says, in a form that ours and Ansible's answers share. Lists of names are sorted. */
export interface Answer {
  readonly hosts: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly groups: Readonly<Record<string, readonly string[]>>
  readonly patterns: Readonly<Record<string, readonly string[]>>
}

/** Files by path below `inventory/`, and patterns to ask about. */
export interface Question {
  readonly files: Readonly<Record<string, string>>
  readonly patterns: readonly string[]
}

/** Without the settings of whoever runs the tests. */
function environmentIn(root: string): NodeJS.ProcessEnv {
  const config = join(root, 'ansible.cfg')
  writeFileSync(config, '')
  return { ...process.env, ANSIBLE_CONFIG: config, ANSIBLE_DEPRECATION_WARNINGS: '0' }
}

/** Asks the installed Ansible, all questions in one process: about a second, and a few milliseconds for each. */
export function askAnsible(questions: readonly Question[]): readonly Answer[] {
  return inDirectory((root) => {
    const cases = questions.map(({ files, patterns }, index) => ({
      directory: write(files, join(root, `${index}`)),
      patterns,
    }))
    const oracle = fileURLToPath(new URL('ansible-oracle.py', import.meta.url))
    const output = execFileSync('/usr/bin/python3', [oracle], {
      input: JSON.stringify(cases),
      cwd: root,
      env: environmentIn(root),
      stdio: ['pipe', 'pipe', 'pipe'],
      maxBuffer: 1 << 28,
    })
    return JSON.parse(output.toString()) as readonly Answer[]
  })
}

/** Asks the command that users have: `ansible-inventory --list`, and `ansible PATTERN --list-hosts`. */
export function askCommands({ files, patterns }: Question): Answer {
  return inDirectory((root) => {
    const inventory = write(files, join(root, 'inventory'))
    const run = (command: string, ...more: readonly string[]): string =>
      execFileSync(command, ['-i', inventory, ...more], {
        cwd: root,
        env: environmentIn(root),
        stdio: ['ignore', 'pipe', 'pipe'],
      }).toString()
    const list = JSON.parse(run('ansible-inventory', '--list')) as Record<string, ListedGroup> & {
      _meta: { hostvars: Answer['hosts'] }
    }
    const { _meta: meta, ...groups } = list
    const members = Object.fromEntries(Object.keys(groups).map((name) => [name, membersOf(name, groups)]))
    const hosts = Object.fromEntries((members['all'] ?? []).map((name) => [name, meta.hostvars[name] ?? {}]))
    const matches = patterns.map((pattern) => [pattern, listed(run('ansible', pattern, '--list-hosts'))])
    return { hosts, groups: members, patterns: Object.fromEntries(matches) as Answer['patterns'] }
  })
}

interface ListedGroup {
  readonly hosts?: readonly string[]
  readonly children?: readonly string[]
}

function membersOf(name: string, groups: Readonly<Record<string, ListedGroup>>): readonly string[] {
  const group = groups[name]
  const below = (group?.children ?? []).flatMap((child) => membersOf(child, groups))
  return [...new Set([...(group?.hosts ?? []), ...below])].sort()
}

/** The output of `--list-hosts`: a line with the number, then the hosts. */
function listed(output: string): readonly string[] {
  return output
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .sort()
}

const schemas = compileSchemas()

/** Our own answer. Problems that are no warnings fail the caller. */
export function askOurselves({ files, patterns }: Question): Answer {
  const problems: Problem[] = []
  const paths = Object.entries(files).map(([path, text]) => [`inventory/${path}`, text] as const)
  const { inventory, variables } = readInventory(new Map(paths), schemas, problems)
  const errors = problems.filter((problem) => problem.severity === 'error')
  if (errors.length > 0) throw new Error(JSON.stringify(errors))
  const hosts = [...inventory.hosts.keys()].map((host) => {
    const values = [...variables.names(host)].map((name) => [
      name,
      plainValue(variables.get(host, name)?.value ?? none),
    ])
    return [host, Object.fromEntries(values)]
  })
  const matches = patterns.map((pattern) => {
    const reading = parsePattern(pattern)
    if (reading.kind === 'refused') throw new Error(reading.message)
    return [pattern, [...matchPattern(reading.pattern, inventory).hosts].sort()]
  })
  const groups = [...inventory.groups].map(([name, members]) => [name, [...members].sort()])
  return JSON.parse(
    JSON.stringify({
      hosts: Object.fromEntries(hosts),
      groups: Object.fromEntries(groups),
      patterns: Object.fromEntries(matches),
    }),
  ) as Answer
}

const none = { kind: 'scalar', at: { file: '', line: 1, column: 1 }, value: undefined } as const

function write(files: Readonly<Record<string, string>>, directory: string): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  return directory
}

function inDirectory<T>(use: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'gitwall-inventory-'))
  try {
    return use(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
