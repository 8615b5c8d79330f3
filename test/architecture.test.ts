import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..', 'src')

/** Who may import whom; a name is a folder of `src` or a file directly in it. `(types)`: only `import type`. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  net: [],
  repo: ['net'],
  model: ['repo', 'net'],
  kernel: ['model (types)', 'net'],
  'kernel/ipset': ['kernel', 'model', 'net'],
  'kernel/iptables': ['kernel', 'model', 'net', 'repo (types)'],
  'kernel/nft': ['kernel', 'model', 'net'],
  'kernel/ovs': ['kernel', 'model', 'net', 'repo (types)'],
  meaning: ['kernel', 'model', 'net', 'repo'],
  plan: ['kernel', 'model', 'meaning', 'repo (types)', 'net'],
  report: ['plan', 'meaning', 'repo', 'model (types)', 'kernel'],
  git: ['report (types)'],
  host: ['repo (types)', 'kernel', 'net (types)'],
  ui: ['report'],
}

/** Packages and built-ins, each by the one folder that may know it. Everything else is open to `git host ui cli` only. */
const owners: Readonly<Record<string, string>> = {
  'simple-git': 'git',
  ssh2: 'host',
  listr2: 'ui',
  commander: 'cli',
}
const pure = ['net', 'repo', 'model', 'kernel', 'meaning', 'plan', 'report']
const pureMayUse = ['node:net', 'node:crypto', 'yaml', 'ajv', 'ajv-formats']

interface Import {
  readonly file: string
  readonly from: string
  readonly typesOnly: boolean
}

const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const imports = files.flatMap((file) => importsOf(file))

function importsOf(file: string): readonly Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  const found = text.matchAll(
    /^(?:import|export)\s+(type\s)?[^'"]*?from\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm,
  )
  return [...found].map((match) => {
    const from = match[2] ?? match[3] ?? ''
    const path = from.startsWith('.') ? relative(root, join(root, dirname(file), from)) : from
    return { file, from: path, typesOnly: match[1] !== undefined }
  })
}

/** `kernel/ovs` for a file of a kind, else the first folder, else the file itself. */
function moduleOf(path: string): string {
  const [first = '', second = '', third] = path.split('/')
  return first === 'kernel' && third !== undefined ? `${first}/${second}` : second === '' ? first : first
}

function violations(list: readonly Import[]): readonly string[] {
  return list.filter(isForbidden).map(({ file, from }) => `${file} imports ${from}`)
}

function isForbidden({ file, from, typesOnly }: Import): boolean {
  const module = moduleOf(file)
  const top = module.split('/')[0] ?? ''
  if (!from.includes('.ts') && !from.includes('/') && from in owners) return owners[from] !== top
  if (from.startsWith('node:') || !from.endsWith('.ts'))
    return pure.includes(top) && !pureMayUse.includes(from.split('/')[0] ?? '') && !pureMayUse.includes(from)
  const may = allowed[module]
  const target = moduleOf(from)
  if (may === undefined || target === module) return false
  return !may.includes(target) && !(typesOnly && may.includes(`${target} (types)`))
}

/** Every file that `file` reaches by imports, itself included. */
function reach(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file)) return seen
  seen.add(file)
  for (const { from, typesOnly } of imports.filter((one) => one.file === file))
    if (!typesOnly && from.endsWith('.ts')) reach(from, seen)
  return seen
}

describe('the direction of imports', () => {
  test('holds in every file', () => {
    expect(files.length).toBeGreaterThan(30)
    expect(violations(imports)).toEqual([])
  })

  test('is noticed when it is broken', () => {
    const planted: readonly Import[] = [
      { file: 'net/address.ts', from: 'model/model.ts', typesOnly: true },
      { file: 'kernel/ovs/flow.ts', from: 'kernel/iptables/rule.ts', typesOnly: false },
      { file: 'plan/plan.ts', from: 'kernel/ovs/backend.ts', typesOnly: false },
      { file: 'model/resolve.ts', from: 'node:fs', typesOnly: false },
      { file: 'git/checkout.ts', from: 'ssh2', typesOnly: false },
      { file: 'kernel/diff.ts', from: 'model/resolve.ts', typesOnly: false },
    ]
    expect(violations(planted)).toHaveLength(planted.length)
  })

  test('gives no command that only reads a way to a writer', () => {
    const writers = ['host/transaction.ts', 'move.ts', 'apply.ts']
    for (const command of ['plan', 'drift', 'validate', 'show', 'snapshots', 'schema', 'diff', 'trace'])
      expect([...reach(`cli/${command}.ts`)].filter((file) => writers.includes(file))).toEqual([])
    expect([...reach('cli/apply.ts')]).toEqual(expect.arrayContaining(writers))
  })

  test('has no clock, randomness or process in the pure folders', () => {
    const impure = files
      .filter((file) => pure.includes(moduleOf(file).split('/')[0] ?? ''))
      .filter((file) =>
        /\bDate\.now|new Date\(\)|Math\.random|\bprocess\.|\bconsole\.|\basync\b|\bawait\b/.test(
          codeOf(file),
        ),
      )
    expect(impure).toEqual([])
  })
})

function codeOf(file: string): string {
  return readFileSync(join(root, file), 'utf8')
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/\/\/.*$/gm, '')
    .replaceAll(/(['"`])(?:\\.|(?!\1)[^\\\n])*\1/g, "''")
}
