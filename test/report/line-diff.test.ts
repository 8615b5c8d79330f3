import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { diffLines, type LineChange } from '../../src/report/line-diff.ts'

function shown(before: string, after: string): string {
  return diffLines(before.split(''), after.split(''))
    .map(({ op, line }) => `${op === 'add' ? '+' : '-'}${line}`)
    .join(' ')
}

/** Walks `before` and `after` side by side; true when the changes, in their order, lead from one to the other. */
function leads(before: readonly string[], after: readonly string[], changes: readonly LineChange[]): boolean {
  const reach = (from: number, to: number, at: number): boolean => {
    if (from === before.length && to === after.length && at === changes.length) return true
    const next = changes[at]
    if (next?.op === 'remove' && before[from] === next.line && reach(from + 1, to, at + 1)) return true
    if (next?.op === 'add' && after[to] === next.line && reach(from, to + 1, at + 1)) return true
    return (
      from < before.length && to < after.length && before[from] === after[to] && reach(from + 1, to + 1, at)
    )
  }
  return reach(0, 0, 0)
}

describe('the difference of two texts', () => {
  test.each([
    ['', '', ''],
    ['abc', 'abc', ''],
    ['', 'ab', '+a +b'],
    ['ab', '', '-a -b'],
    ['abc', 'abxc', '+x'],
    ['abc', 'ac', '-b'],
    ['abc', 'axc', '-b +x'],
    ['abcd', 'bcda', '-a +a'],
    ['aab', 'ab', '-a'],
  ])('of %j and %j is %j', (before, after, changes) => {
    expect(shown(before, after)).toBe(changes)
  })

  const letters = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 8 })
  test('leads from one to the other', () => {
    fc.assert(
      fc.property(letters, letters, (before, after) => {
        expect(leads(before, after, diffLines(before, after))).toBe(true)
      }),
    )
  })

  const distinct = fc.uniqueArray(fc.integer({ min: 0, max: 9 }).map(String), { maxLength: 8 })
  test('has the fewest lines where no line stands twice', () => {
    fc.assert(
      fc.property(distinct, distinct, (before, after) => {
        expect(diffLines(before, after)).toHaveLength(
          before.length + after.length - 2 * longestCommon(before, after),
        )
      }),
    )
  })

  test('of two sets of 200,000 members does not take quadratic time', () => {
    const members = Array.from({ length: 200_000 }, (_, n) => `m${n}`)
    const changed = members.filter((_, n) => n % 1000 !== 7)
    expect(diffLines(members, changed)).toHaveLength(200)
  })
})

/** By the textbook table, as the oracle. */
function longestCommon(left: readonly string[], right: readonly string[]): number {
  if (left.length === 0 || right.length === 0) return 0
  const [a, ...leftRest] = left
  const [b, ...rightRest] = right
  if (a === b) return 1 + longestCommon(leftRest, rightRest)
  return Math.max(longestCommon(leftRest, right), longestCommon(left, rightRest))
}
