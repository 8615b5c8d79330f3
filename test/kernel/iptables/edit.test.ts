import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Edit, editScript } from '../../../src/kernel/iptables/edit.ts'

/** Does what iptables-restore does with `-I chain n` and `-D chain n`, and refuses what it refuses. */
function applied(edits: readonly Edit[], before: readonly string[]): readonly string[] {
  const lines = [...before]
  for (const edit of edits) {
    expect(edit.line).toBeGreaterThan(0)
    expect(edit.line).toBeLessThanOrEqual(edit.op === 'insert' ? lines.length + 1 : lines.length)
    lines.splice(edit.line - 1, edit.op === 'insert' ? 0 : 1, ...(edit.op === 'insert' ? [edit.text] : []))
  }
  return lines
}

const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 })

describe('an edit script', () => {
  test('makes the one list to the other, in no more edits than the new one has lines', () => {
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const edits = editScript(before, after)
        if (edits === undefined) return
        expect(applied(edits, before)).toEqual(after)
        expect(edits.length).toBeLessThanOrEqual(after.length)
      }),
    )
  })

  test('leaves alone what stays', () => {
    expect(editScript(['a', 'b', 'c'], ['a', 'x', 'b', 'c'])).toEqual([{ op: 'insert', line: 2, text: 'x' }])
    expect(editScript(['a', 'b', 'c'], ['a', 'c'])).toEqual([{ op: 'delete', line: 2 }])
    expect(editScript(['a', 'b'], ['a', 'b'])).toEqual([])
  })

  test('gives up where writing anew is shorter', () => {
    expect(editScript(['a', 'b', 'c'], ['x'])).toBeUndefined()
    expect(editScript(['a'], [])).toBeUndefined()
  })

  test('copes with a long chain that is wholly different', () => {
    const [before, after] = ['a', 'b'].map((letter) =>
      Array.from({ length: 20_000 }, (_, n) => `${letter}${n}`),
    )
    expect(editScript(before ?? [], after ?? [])).toBeUndefined()
    const inserted = [...(before ?? []).slice(0, 9_000), 'x', ...(before ?? []).slice(9_000)]
    expect(editScript(before ?? [], inserted)).toEqual([{ op: 'insert', line: 9_001, text: 'x' }])
  })
})
