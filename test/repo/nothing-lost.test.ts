import fc from 'fast-check'
import { readFileSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { loadRepo } from '../../src/repo/load.ts'
import type { Repo } from '../../src/repo/repo.ts'

const root = new URL('../../', import.meta.url)

function demoFiles(): ReadonlyMap<string, string> {
  const paths = ['inventory', 'policies'].flatMap((top) =>
    (readdirSync(new URL(top, root), { recursive: true }) as readonly string[]).map(
      (path) => `${top}/${path}`,
    ),
  )
  const yaml = paths.filter((path) => path.endsWith('.yaml')).sort()
  return new Map(yaml.map((path) => [path, readFileSync(new URL(path, root), 'utf8')]))
}

type Policies = Record<
  'sets' | 'services' | 'firewalls',
  Record<string, { inbound?: unknown[]; outbound?: unknown[] }> | undefined
> & {
  readonly tests?: readonly unknown[]
}

/** What the files hold by a plain YAML reader, as counts. */
function written(files: ReadonlyMap<string, string>): object {
  const policies = [...files]
    .filter(([path]) => path.startsWith('policies/'))
    .map(([, text]) => (parseDocument(text).toJS() ?? {}) as Policies)
  const firewalls = policies.flatMap((policy) => Object.values(policy.firewalls ?? {}))
  return {
    sets: policies.flatMap((policy) => Object.keys(policy.sets ?? {})).length,
    firewalls: firewalls.length,
    rules: firewalls.flatMap((firewall) => [...(firewall.inbound ?? []), ...(firewall.outbound ?? [])])
      .length,
    tests: policies.flatMap((policy) => policy.tests ?? []).length,
  }
}

function read(repo: Repo): object {
  const firewalls = [...repo.firewalls.values()]
  return {
    sets: repo.sets.size,
    firewalls: firewalls.length,
    rules: firewalls.flatMap((firewall) => [...(firewall.inbound ?? []), ...(firewall.outbound ?? [])])
      .length,
    tests: repo.tests.length,
  }
}

const demo = demoFiles()

test('the demo repository has no mistakes', () => {
  const { repo, problems } = loadRepo(demo)
  expect(problems).toEqual([])
  expect(read(repo)).toEqual(written(demo))
  const kinds = [...repo.inventory.hosts.values()].map((host) => host.role.kind)
  expect(kinds.filter((kind) => kind === 'hypervisor')).toHaveLength(4)
  expect(kinds.filter((kind) => kind === 'guest')).toHaveLength(11)
})

test('whatever is typed into the demo repository, it is told or it is read', () => {
  const pieces = [
    '',
    ' ',
    '\n',
    ':',
    '"',
    '{',
    '}',
    '[',
    ']',
    '- ',
    '#',
    '*a',
    '&a ',
    '!x ',
    '~',
    '0',
    'any',
    'name',
    'set:',
    'group:web',
    'tcp/1',
    ': ',
    ', ',
    '<<: ',
    '\t',
    'é',
    '\u202e',
    '{{ x }}',
  ]
  const edit = fc.record({
    path: fc.constantFrom(...demo.keys()),
    at: fc.nat(3000),
    cut: fc.nat(12),
    paste: fc.constantFrom(...pieces),
  })
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      const files = new Map(demo)
      for (const { path, at, cut, paste } of edits) {
        const text = files.get(path) ?? ''
        const start = at % (text.length + 1)
        files.set(path, text.slice(0, start) + paste + text.slice(start + cut))
      }
      const { repo, problems } = loadRepo(files)
      for (const { message } of problems) expect(message).toMatch(/^[^\u0000-\u001f\u202e]{5,300}$/)
      const told = problems.some((problem) => problem.severity === 'error')
      expect(told || read(repo)).toEqual(told || written(files))
    }),
    { numRuns: 150 },
  )
})
