import { describe, expect, test } from 'vitest'
import { exitCode, forgiveDifferences } from '../../src/cli/exit-code.ts'
import type { HostStatus, Report } from '../../src/plan/outcome.ts'
import type { Problem } from '../../src/repo/problem.ts'

function report(
  command: Report['command'],
  statuses: readonly HostStatus[],
  problems: readonly Problem[] = [],
): Report {
  const empty = { changes: new Map(), users: new Map(), warnings: [], absentPorts: [] }
  const outcomes = statuses.map((status, n) => ({ host: `hv-${n}`, status, ...empty }))
  return { command, commit: 'worktree', outcomes, rules: new Map(), problems }
}

function problem(severity: 'error' | 'warning'): Problem {
  return { code: 'x', severity, at: { file: 'f', line: 1, column: 1 }, message: 'm' }
}

describe('one host', () => {
  test.each<[Report['command'], HostStatus, number]>([
    ['plan', 'in-sync', 0],
    ['plan', 'planned', 2],
    ['plan', 'refused', 3],
    ['plan', 'unprotected', 3],
    ['plan', 'unreachable', 4],
    ['drift', 'in-sync', 0],
    ['drift', 'drifted', 2],
    ['drift', 'unmanaged', 2],
    ['drift', 'unreachable', 4],
    ['apply', 'in-sync', 0],
    ['apply', 'confirmed', 0],
    ['apply', 'planned', 3],
    ['apply', 'refused', 3],
    ['apply', 'unreachable', 4],
    ['apply', 'rolled-back', 5],
    ['apply', 'unknown', 6],
    ['rollback', 'confirmed', 0],
    ['rollback', 'refused', 3],
    ['rollback', 'unmanaged', 3],
    ['rollback', 'rolled-back', 5],
  ])('of %s that is %s gives %i', (command, status, code) => {
    expect(exitCode(report(command, [status]))).toBe(code)
  })
})

describe('several hosts give the first of 6 5 3 1 4 2 0:', () => {
  test.each<[HostStatus[], number]>([
    [['in-sync', 'planned'], 2],
    [['planned', 'unreachable', 'in-sync'], 4],
    [['unreachable', 'refused', 'planned'], 3],
    [['refused', 'rolled-back'], 5],
    [['refused', 'confirmed'], 5],
    [['rolled-back', 'unknown', 'confirmed', 'unreachable'], 6],
    [[], 0],
  ])('%j gives %i', (statuses, code) => {
    expect(exitCode(report('plan', statuses))).toBe(code)
  })
})

test('an error of the repository gives 1, a warning nothing', () => {
  expect(exitCode(report('plan', [], [problem('warning')]))).toBe(0)
  expect(exitCode(report('plan', [], [problem('warning'), problem('error')]))).toBe(1)
  expect(exitCode(report('plan', ['unreachable', 'planned'], [problem('error')]))).toBe(1)
  expect(exitCode(report('plan', ['refused'], [problem('error')]))).toBe(3)
})

test('--exit-zero forgives differences and nothing else', () => {
  expect(([0, 1, 2, 3, 4, 5, 6] as const).map(forgiveDifferences)).toEqual([0, 1, 0, 3, 4, 5, 6])
})
