/** More known names than this are not searched: a hint is not worth the time. */
const searchedNames = 5000

/** The known name that `name` is most likely a slip of: at most one wrong letter in three. `undefined` when none is near. */
export function suggest(name: string, known: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase()
  let limit = Math.min(3, Math.ceil(name.length / 3))
  let best: string | undefined
  let searched = 0
  for (const candidate of known) {
    if (++searched > searchedNames) break
    if (Math.abs(candidate.length - name.length) > limit || name.length > 64) continue
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (distance > limit || (best !== undefined && distance === limit)) continue
    best = candidate
    limit = distance
  }
  return best
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min((last[j - 1] ?? 0) + (same ? 0 : 1), (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1)
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
