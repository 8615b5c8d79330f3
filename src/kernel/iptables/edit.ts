/** One change of a list of lines. `line` counts from 1 in the list as it is when all edits before this one are done. */
export type Edit =
  | { readonly op: 'insert'; readonly line: number; readonly text: string }
  | { readonly op: 'delete'; readonly line: number }

/** A longer way is not looked for: its cost grows with the square, and writing the list anew is then the cheaper move. */
const editLimit = 1000

/**
 * The fewest edits that make `before` to `after`, first line first; `undefined` when they are more than `after` has lines.
 * E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986).
 */
export function editScript(before: readonly string[], after: readonly string[]): readonly Edit[] | undefined {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head++
  let tail = 0
  const rest = Math.min(before.length, after.length) - head
  while (tail < rest && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++
  const old = before.slice(head, before.length - tail)
  const wanted = after.slice(head, after.length - tail)
  const trace = searchPaths(old, wanted, Math.min(after.length, editLimit))
  return trace === undefined ? undefined : replay(backtrack(trace, old.length, wanted.length), wanted, head)
}

/** Furthest reach on every diagonal, one array per number of edits; `undefined` when `limit` edits do not reach the end. */
function searchPaths(
  old: readonly string[],
  wanted: readonly string[],
  limit: number,
): readonly Int32Array[] | undefined {
  const trace: Int32Array[] = []
  const offset = limit + 1
  const reach = new Int32Array(2 * limit + 3)
  for (let edits = 0; edits <= limit; edits++) {
    trace.push(reach.slice())
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = isDown(reach, diagonal, edits, offset)
        ? at(reach, diagonal + 1 + offset)
        : at(reach, diagonal - 1 + offset) + 1
      while (x < old.length && x - diagonal < wanted.length && old[x] === wanted[x - diagonal]) x++
      reach[diagonal + offset] = x
      if (x >= old.length && x - diagonal >= wanted.length) return trace
    }
  }
  return undefined
}

function isDown(reach: Int32Array, diagonal: number, edits: number, offset: number): boolean {
  if (diagonal === -edits) return true
  return diagonal !== edits && at(reach, diagonal - 1 + offset) < at(reach, diagonal + 1 + offset)
}

function at(reach: Int32Array, index: number): number {
  return reach[index] ?? 0
}

type Move = 'keep' | 'delete' | 'insert'

function backtrack(trace: readonly Int32Array[], oldLength: number, wantedLength: number): readonly Move[] {
  const moves: Move[] = []
  let [x, y] = [oldLength, wantedLength]
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const reach = trace[edits] ?? new Int32Array()
    const offset = (reach.length - 1) / 2
    const down = isDown(reach, x - y, edits, offset)
    const diagonal = down ? x - y + 1 : x - y - 1
    const startX = edits === 0 ? 0 : at(reach, diagonal + offset)
    const startY = edits === 0 ? 0 : startX - diagonal
    while (x > startX && y > startY) {
      moves.push('keep')
      x--
      y--
    }
    if (edits > 0) moves.push(down ? 'insert' : 'delete')
    ;[x, y] = [startX, startY]
  }
  return moves.reverse()
}

function replay(moves: readonly Move[], wanted: readonly string[], head: number): readonly Edit[] {
  const edits: Edit[] = []
  let line = head + 1
  let next = 0
  for (const move of moves) {
    switch (move) {
      case 'keep':
        line++
        next++
        break
      case 'insert':
        edits.push({ op: 'insert', line, text: wanted[next] ?? '' })
        line++
        next++
        break
      case 'delete':
        edits.push({ op: 'delete', line })
        break
    }
  }
  return edits
}
