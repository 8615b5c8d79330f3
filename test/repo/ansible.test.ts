import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Question, askAnsible, askCommands, askOurselves } from './ansible.ts'

const examples: readonly (Question & { readonly says: string })[] = [
  {
    says: 'ranges',
    files: {
      'hosts.yaml': `
web:
  hosts:
    web-[1:4]: { a: 1 }
    web-[01:10:3].example.com:
    "[a:c]x-[1:2]":
    db-[:2]:
    odd-[1:6:2]: { b: [1, 2] }
    "up-[y:B]":
`,
    },
    patterns: ['web-1', 'web-*', '*.example.com', '[ab]x-*', '*x-?', 'all:!web-*', 'web,!up-z'],
  },
  {
    says: 'a diamond of groups',
    files: {
      'hosts.yaml': `
all:
  vars: { v: all, w: all, x: all, y: all }
  children:
    prod: { vars: { v: prod, w: prod }, children: { web: , db: } }
    east: { vars: { v: east }, children: { web: } }
    web: { hosts: { web-1: { x: web-1 }, web-2: }, vars: { x: web } }
    db: { hosts: { db-1: } }
  hosts: { lonely: }
`,
    },
    patterns: [
      'prod',
      'prod:&east',
      'prod:!east',
      '&east',
      '!prod',
      'east:db',
      'pro*',
      '*',
      'all',
      'ungrouped',
      'un*',
      'w*:&prod:!web-2',
    ],
  },
  {
    says: 'precedence, depth and priority',
    files: {
      'hosts.yaml': `
all: { vars: { a: all, b: all, c: all, d: all, e: all, f: all } }
zeta: { vars: { a: zeta, b: zeta, ansible_group_priority: 10 }, hosts: { h: { c: host } } }
alpha: { vars: { a: alpha, b: alpha, d: alpha }, children: { deep: } }
deep: { vars: { b: deep }, hosts: { h: } }
`,
      'group_vars/all.yml': 'd: group_vars/all\ne: group_vars/all\na: group_vars/all\n',
      'group_vars/deep/b.yaml': 'e: group_vars/deep/b\nf: group_vars/deep/b\n',
      'group_vars/deep/a.yml': 'e: group_vars/deep/a\n',
      'group_vars/deep/sub/c': 'g: group_vars/deep/sub/c\n',
      'group_vars/deep/not-read.txt': 'f: text\n',
      'group_vars/deep/.hidden.yml': 'f: hidden\n',
      'group_vars/zeta': 'f: group_vars/zeta\n',
      'host_vars/h.json': '{"c": "host_vars", "m": {"x": 1}}',
    },
    patterns: ['h', 'deep', 'zeta:&alpha'],
  },
  {
    says: 'a directory of inventories',
    files: {
      'a.yaml': 'web: { hosts: { web-1: { v: a, m: { x: 1, y: 1 } } }, vars: { g: a } }\n',
      'b.yml':
        'web: { hosts: { web-1: { v: b, m: { x: 2 } }, web-2: }, vars: { g: b } }\nall: { hosts: { web-2: , free: } }\n',
      'site/c.json': '{"db": {"hosts": {"db-1": null}, "children": {"web": null}}}',
      'README.md': '# not an inventory\n',
      '.hidden.yaml': 'ghost: { hosts: { ghost: } }\n',
    },
    patterns: ['web', 'db', 'db:!web', 'ungrouped', 'free'],
  },
]

describe('our inventory is that of the ansible commands', () => {
  test.each(examples)('$says', ({ files, patterns }) => {
    // Each run of a command takes a second: one pattern here, all of them below.
    const question = { files, patterns: patterns.slice(-1) }
    const [ours, theirs] = [askOurselves(question), askCommands(question)]
    expect(ours.hosts).toEqual(theirs.hosts)
    // The command leaves empty groups out.
    expect(nonEmpty(ours.groups)).toEqual(nonEmpty(theirs.groups))
    expect(ours.patterns).toEqual(theirs.patterns)
  })
})

test('our inventories and patterns are those of Ansible, the examples and random ones', () => {
  const questions = [
    ...examples.map(({ files, patterns }) => ({ files, patterns })),
    ...fc.sample(question(), { numRuns: 100 }),
  ]
  const theirs = askAnsible(questions)
  for (const [index, one] of questions.entries())
    expect({ one, answer: askOurselves(one) }).toEqual({ one, answer: theirs[index] })
})

function nonEmpty(groups: Readonly<Record<string, readonly string[]>>): object {
  return Object.fromEntries(Object.entries(groups).filter(([, members]) => members.length > 0))
}

const groupNames = ['g0', 'g1', 'g2', 'g3', 'g4', 'g5']
const hostNames = ['h0', 'h1', 'h2', 'h3', 'x[1:2]']

/** JSON is YAML. Groups have children of a higher number only, so there is no loop. */
function question(): fc.Arbitrary<Question> {
  const files = fc.record(
    {
      'a.yaml': inventoryFile(),
      'b.yml': inventoryFile(),
      'site/c.json': inventoryFile(),
      'group_vars/all.yml': variables(),
      'group_vars/ungrouped': variables(),
      'group_vars/g1': variables(),
      'group_vars/g2.yaml': variables(),
      'group_vars/g3/z.yml': variables(),
      'group_vars/g3/a.yaml': variables(),
      'group_vars/g3/m/n.json': variables(),
      'host_vars/h0.yml': variables(),
      'host_vars/x1.yaml': variables(),
    },
    { requiredKeys: ['a.yaml'] },
  )
  return fc.record({
    files: files.map((all) =>
      Object.fromEntries(Object.entries(all).map(([path, data]) => [path, JSON.stringify(data)])),
    ),
    patterns: fc.uniqueArray(pattern(), { minLength: 1, maxLength: 6 }),
  })
}

function inventoryFile(): fc.Arbitrary<object> {
  const groups = Object.fromEntries(groupNames.map((name, index) => [name, group(index, 2)]))
  const special = { all: group(-1, 1), ungrouped: fc.record({ hosts: hosts() }) }
  // Ansible takes an empty file for a mistake.
  return fc.record({ ...groups, ...special }, { requiredKeys: ['all'] })
}

function group(index: number, levels: number): fc.Arbitrary<object | null> {
  const below = groupNames.slice(index + 1)
  const children = fc.record(
    Object.fromEntries(
      below.map((name) => [
        name,
        levels === 0
          ? fc.constant(null)
          : fc.option(group(groupNames.indexOf(name), levels - 1), { freq: 1 }),
      ]),
    ),
    { requiredKeys: [] },
  )
  const some = fc.option(children, { freq: 1, nil: {} })
  return fc.record({ hosts: hosts(), vars: groupVariables(), children: some }, { requiredKeys: [] })
}

function hosts(): fc.Arbitrary<object> {
  return fc.record(Object.fromEntries(hostNames.map((name) => [name, fc.option(variables(), { freq: 1 })])), {
    requiredKeys: [],
  })
}

function variables(): fc.Arbitrary<Readonly<Record<string, unknown>>> {
  const value = fc.oneof(
    fc.nat(9),
    fc.constantFrom('text', true, null),
    fc.array(fc.nat(9), { maxLength: 2 }),
    fc.record({ k: fc.nat(9), l: fc.nat(9) }, { requiredKeys: [] }),
  )
  return fc.record({ a: value, b: value, c: value }, { requiredKeys: [] })
}

function groupVariables(): fc.Arbitrary<object> {
  return fc
    .tuple(variables(), fc.option(fc.nat(3), { nil: undefined }))
    .map(([all, priority]) => (priority === undefined ? all : { ...all, ansible_group_priority: priority }))
}

function pattern(): fc.Arbitrary<string> {
  const term = fc.constantFrom(
    'all',
    '*',
    'ungrouped',
    'un*',
    ...groupNames,
    'h0',
    'h1',
    'x1',
    'g*',
    'h?',
    '*1',
    '[gh]0',
    '[!g]*',
    'g[!5]',
    'h[a-z0-1]',
    '??',
    'x*2',
  )
  const signed = fc.tuple(fc.constantFrom('', '', '&', '!'), term).map(([sign, name]) => sign + name)
  return fc
    .tuple(fc.array(signed, { minLength: 1, maxLength: 4 }), fc.constantFrom(':', ','))
    .map(([terms, separator]) => terms.join(separator))
}
