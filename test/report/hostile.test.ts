import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RuleId } from '../../src/model/model.ts'
import type { Report } from '../../src/plan/outcome.ts'
import { plain } from '../../src/report/escape.ts'
import { formatJson } from '../../src/report/json/report.ts'
import { formatText } from '../../src/report/text/report.ts'
import { changesOf, origin, outcome, report } from './reports.ts'

/** What a terminal acts on, apart from the newlines that are ours. */
const acts =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])/

describe('plain', () => {
  test.each([
    ['an escape sequence', '\u001b[2J', '\\u{1b}[2J'],
    ['an eight-bit one', '\u009b2J', '\\u{9b}2J'],
    ['a newline', 'a\r\nb', 'a\\u{d}\\u{a}b'],
    ['a bidi override', 'a\u202eb', 'a\\u{202e}b'],
    ['a zero-width joiner', 'a\u200db', 'a\\u{200d}b'],
    ['a byte order mark', '\ufeffa', '\\u{feff}a'],
    ['a line separator', 'a\u2028b', 'a\\u{2028}b'],
    ['an annotation mark', 'a\ufff9b', 'a\\u{fff9}b'],
    ['a lone surrogate', 'a\ud800b', 'a\\u{d800}b'],
    ['a tag character', '\u{e0041}', '\\u{e0041}'],
    ['a backspace and a delete', '\b\u007f', '\\u{8}\\u{7f}'],
  ])('shows %s', (_, text, shown) => {
    expect(plain(text)).toBe(shown)
  })

  test('leaves every other script alone', () => {
    for (const text of ['über-Regel', '規則', 'قاعدة', 'правило', '🔥 wall', 'a\\b "c"'])
      expect(plain(text)).toBe(text)
  })
})

/** One report with `text` at every place where a host's or a repository's text can stand. */
function reportOf(text: string): Report {
  const id = text as RuleId
  const changes = changesOf(
    ['iptables', [{ op: 'replace', key: text, before: text, after: `${text}x` }]],
    ['ovs', [{ op: 'add', key: text, after: text }]],
    // More than a few, so that it is counted.
    ['ipset', Array.from({ length: 20 }, () => ({ op: 'add' as const, key: text, after: text }))],
  )
  const few = changesOf(['ovs', [{ op: 'remove', key: text, before: text }]])
  const at = { file: text, line: 1, column: 1 }
  return report(
    [
      outcome(text, {
        status: 'refused',
        reason: text,
        snapshot: text,
        warnings: [text],
        absentPorts: [text],
        changes,
        users: new Map([
          ['ovs', new Map([[text, [id, 'ffffffffffff' as RuleId]]])],
          ['ipset', new Map([[text, [id]]])],
        ]),
      }),
      outcome(`${text}1`, { status: 'drifted', changes: few }),
      outcome(`${text}2`, { status: 'drifted', changes: few }),
    ],
    {
      commit: text,
      rules: new Map([[id, { ...origin(text, 1), firewall: text, source: at }]]),
      problems: [{ code: text, severity: 'error', at, message: text }],
    },
  )
}

const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      '\u001b',
      '\u009b',
      '\r',
      '\b',
      '\u202e',
      '\u200d',
      '\ud800',
      '\u2028',
      '\u{e0041}',
      '\0',
      '\\',
      '"',
      '\n',
    ),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
  maxLength: 12,
})

test('no text reaches a terminal unescaped, wherever it stands in a report', () => {
  const options = { ruleIdsOf: (_: unknown, text: string) => [text as RuleId] }
  fc.assert(
    fc.property(hostile, (text) => {
      const value = reportOf(text)
      expect(formatText(value, { ...options, color: false, detail: 'brief' })).not.toMatch(acts)
      expect(formatText(value, { ...options, color: false, detail: 'full' })).not.toMatch(acts)
      expect(formatJson(value, options)).not.toMatch(acts)
    }),
    { numRuns: 300 },
  )
})

test('JSON keeps every text exactly, for all its escapes', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const parsed = JSON.parse(formatJson(reportOf(text), { ruleIdsOf: () => [] })) as {
        hosts: { reason: string }[]
      }
      expect(parsed.hosts[0]?.reason).toBe(text)
    }),
    { numRuns: 300 },
  )
})
