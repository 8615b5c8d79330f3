import { expect, test } from 'vitest'
import type { Problem } from '../../src/repo/problem.ts'
import { readYaml } from '../../src/repo/yaml-document.ts'
import { plainValue } from '../../src/repo/yaml-node.ts'
import { lines, marked } from './repository.ts'

function read(text: string, dialect: 'policy' | 'ansible' = 'policy') {
  const problems: Problem[] = []
  const reading = readYaml('f.yaml', text, dialect, problems)
  return { reading, problems }
}

/** A value as JSON, for comparison without prototypes. */
function value(text: string): unknown {
  const { reading } = read(text)
  return reading.kind === 'read' ? JSON.parse(JSON.stringify(plainValue(reading.root))) : reading.kind
}

const mistakes: readonly { says: string; text: string; code: string; message: string }[] = [
  { says: 'a syntax error', text: 'a: [1, 2\n▸', code: 'yaml-syntax', message: 'not valid YAML' },
  { says: 'a tab as indentation', text: 'a:\n▸\tb: 1\n', code: 'yaml-syntax', message: 'not valid YAML' },
  {
    says: 'a second document',
    text: 'a: 1\n▸---\nb: 2\n',
    code: 'yaml-syntax',
    message: 'a second document starts here',
  },
  {
    says: 'a key that stands twice',
    text: 'a: 1\nb: 2\n▸a: 3\n',
    code: 'duplicate-key',
    message: 'key "a" stands twice, first at line 1, column 1: keep one',
  },
  {
    says: 'a key that stands twice deep inside',
    text: 'x:\n  - { a: 1, ▸a: 2 }\n',
    code: 'duplicate-key',
    message: 'first at line 2, column 7',
  },
  {
    says: 'a key that stands twice in other quotes',
    text: '10: 1\n▸"10": 2\n',
    code: 'duplicate-key',
    message: 'key "10" stands twice',
  },
  { says: 'a list as a key', text: '? ▸[a]\n: 1\n', code: 'yaml-key', message: 'a key must be plain text' },
  { says: 'an empty key', text: 'a:\n  ▸: 1\n', code: 'yaml-key', message: 'a key must be plain text' },
  {
    says: 'an unknown tag',
    text: 'a: ▸!canary\n',
    code: 'yaml-tag',
    message: 'unknown tag "!canary": remove it, or quote',
  },
  {
    says: 'a vault outside Ansible',
    text: 'a: ▸!vault x\n',
    code: 'yaml-tag',
    message: 'unknown tag "!vault"',
  },
  {
    says: 'an alias of nothing',
    text: 'a: ▸*web\n',
    code: 'yaml-alias',
    message: 'alias "*web" has no anchor before it',
  },
  {
    says: 'an alias of itself',
    text: 'a: &x\n  b: ▸*x\n',
    code: 'yaml-alias',
    message: 'has no anchor before it',
  },
  { says: 'a merge of text', text: '▸<<: text\n', code: 'yaml-merge', message: '"<<" takes mappings only' },
  {
    says: 'a raw control character',
    text: 'a: b\nc: "x▸\u001b[31m"\n',
    code: 'control-character',
    message: 'control character "\\u{1b}"',
  },
  {
    says: 'a raw override of direction',
    text: 'a: b # ▸\u202e\n',
    code: 'control-character',
    message: '\\u{202e}',
  },
  {
    says: 'an escaped control character',
    text: 'a: ▸"\\e[31m"\n',
    code: 'control-character',
    message: '"\\u{1b}[31m"',
  },
  { says: 'YAML 1.1', text: '▸%YAML 1.1\n---\na: yes\n', code: 'yaml-version', message: 'only YAML 1.2' },
  { says: 'an empty file', text: '▸', code: 'empty-file', message: 'the file is empty' },
  { says: 'a file of comments', text: '▸# nothing\n', code: 'empty-file', message: 'the file is empty' },
]

test.each(mistakes)('$says is one problem, told at its place', ({ text, code, message }) => {
  const { text: content, place } = marked(text)
  const { problems } = read(content)
  expect(lines(problems)).toEqual([`f.yaml:${place} ${code}`])
  expect(problems[0]?.message).toContain(message)
})

test('values are those of YAML 1.2', () => {
  expect(
    value('{ a: yes, b: 010, c: 0x10, d: 1e3, e: ~, f: "1", g: 12:30, h: 2026-12-31, i: true, j: 1.5 }'),
  ).toEqual({
    a: 'yes',
    b: 10,
    c: 16,
    d: 1000,
    e: null,
    f: '1',
    g: '12:30',
    h: '2026-12-31',
    i: true,
    j: 1.5,
  })
})

test('merge keys merge: own keys win, then the earlier mapping', () => {
  const text = 'a: &a { x: 1, y: 1 }\nb: &b { y: 2, z: 2 }\nc: { <<: [*a, *b], x: 0 }\n'
  expect(value(text)).toMatchObject({ c: { x: 0, y: 1, z: 2 } })
})

test('an anchor may be used as often as one likes, and defined anew', () => {
  expect(value(`a: &x [1]\nb: [${Array(500).fill('*x').join(', ')}]\n`)).toMatchObject({
    b: Array(500).fill([1]),
  })
  expect(value('a: &x 1\nb: *x\nc: &x 2\nd: *x\n')).toEqual({ a: 1, b: 1, c: 2, d: 2 })
})

test('keys that JavaScript knows are keys like others', () => {
  const { reading } = read('__proto__: 1\nconstructor: 2\n')
  expect(reading.kind === 'read' && Object.entries(plainValue(reading.root) as object)).toEqual([
    ['__proto__', 1],
    ['constructor', 2],
  ])
})

const laughs = (
  width: number,
  depth: number,
  open: string,
  close: string,
  item: (alias: string) => string,
): string =>
  [`a0: &a0 ${open}1${close}`]
    .concat(
      Array.from(
        { length: depth },
        (_, index) =>
          `a${index + 1}: &a${index + 1} ${open}${Array(width)
            .fill(item(`*a${index}`))
            .join(', ')}${close}`,
      ),
    )
    .join('\n')

const bombs: readonly { says: string; text: string; code: string }[] = [
  { says: 'a billion laughs', text: laughs(10, 9, '[', ']', (alias) => alias), code: 'yaml-size' },
  {
    says: 'a bomb of merges',
    text: [
      'a0: &a0 { k: [1, 2, 3] }',
      ...Array.from({ length: 40 }, (_, i) => `a${i + 1}: &a${i + 1} { x${i}: *a${i}, y${i}: *a${i} }`),
    ].join('\n'),
    code: 'yaml-size',
  },
  { says: 'a tower of lists', text: '['.repeat(50_000), code: 'yaml-syntax' },
  { says: 'a tower that fits the parser', text: `${'['.repeat(100)}1${']'.repeat(100)}`, code: 'yaml-depth' },
  { says: 'a tower of dashes', text: '- '.repeat(50_000), code: 'yaml-syntax' },
  { says: 'nine megabytes', text: `a: ${'x'.repeat(9 << 20)}`, code: 'file-too-large' },
  { says: 'millions of items', text: `[${'1,'.repeat(3_000_000)}]`, code: 'file-too-large' },
]

test.each(bombs)('$says is told, and quickly', ({ text, code }) => {
  const { reading, problems } = read(text)
  expect(reading.kind).toBe('broken')
  expect(new Set(problems.map((problem) => problem.code))).toEqual(new Set([code]))
  expect(problems.length).toBeLessThan(10)
})
