import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { formatJson } from '../../src/report/json/report.ts'
import { formatProblemsJson } from '../../src/report/json/problems.ts'
import { statuses } from '../../src/report/counts.ts'
import { changesOf, outcome, report, ruleIdsOf, ssh, web } from './reports.ts'

const schema = JSON.parse(
  readFileSync(new URL('../../schemas/report.schema.json', import.meta.url), 'utf8'),
) as object
const validate = new Ajv({ allErrors: true, strict: true, strictRequired: false }).compile(schema)

const everything = report(
  [
    ...statuses.map((status, n) => outcome(`hv-${n}`, { status })),
    outcome('hv-full', {
      status: 'confirmed',
      reason: 'why',
      snapshot: '2026',
      warnings: ['w'],
      absentPorts: ['tap1i0'],
      changes: changesOf(
        ['ipset', [{ op: 'replace', key: 'gw-1', before: 'a\n', after: 'b\n' }]],
        [
          'iptables',
          [
            { op: 'add', key: 'c', after: '-j X gitwall:0123456789ab\n' },
            { op: 'remove', key: 'd', before: '' },
          ],
        ],
      ),
      users: new Map([['ipset', new Map([['gw-1', [web]]])]]),
    }),
  ],
  { problems: [{ code: 'a-b', severity: 'warning', at: { file: 'f', line: 1, column: 2 }, message: 'm' }] },
)

type Json = { counts: object; hosts: { changes: { rules: string[] }[] }[] }

describe('the JSON report', () => {
  test('is what the published schema says, for every status and every field', () => {
    validate(JSON.parse(formatJson(everything, { ruleIdsOf })))
    expect(validate.errors).toBeNull()
  })

  test('of a run that read no host is, too', () => {
    validate(JSON.parse(formatJson(report([], { commit: 'worktree' }), { ruleIdsOf })))
    expect(validate.errors).toBeNull()
  })

  test('of validate is, too', () => {
    validate(JSON.parse(formatProblemsJson({ commit: 'worktree', problems: everything.problems })))
    expect(validate.errors).toBeNull()
  })

  test('counts hosts and objects, and names the rules of each object', () => {
    const json = JSON.parse(formatJson(everything, { ruleIdsOf })) as Json
    expect(json.counts).toMatchObject({
      hosts: { confirmed: 2, 'in-sync': 1 },
      objects: { add: 1, replace: 1, remove: 1 },
    })
    expect(json.hosts.at(-1)?.changes.map((change) => change.rules)).toEqual([[web], [ssh], []])
  })
})

const good = () => JSON.parse(formatJson(everything, { ruleIdsOf })) as Record<string, unknown>
const change = (fields: object) => ({ kind: 'ovs', op: 'add', key: 'k', after: 'a', rules: [], ...fields })
const host = (fields: object) => ({
  host: 'h',
  status: 'planned',
  warnings: [],
  absentPorts: [],
  changes: [],
  ...fields,
})

describe('the schema refuses', () => {
  test.each([
    ['another version', { version: 2 }],
    ['a status it does not know', { hosts: [host({ status: 'fine' })] }],
    ['an addition that has a before', { hosts: [host({ changes: [change({ before: 'b' })] })] }],
    ['a replacement without one', { hosts: [host({ changes: [change({ op: 'replace' })] })] }],
    ['a rule id that is none', { hosts: [host({ changes: [change({ rules: ['x'] })] })] }],
    ['a field of ours that is misspelt', { comit: 'x' }],
  ])('%s', (_, fields) => {
    expect(validate({ ...good(), ...fields })).toBe(false)
  })
})
