/** One line that is only on one side. */
export interface LineChange {
  readonly op: 'add' | 'remove'
  readonly line: string
}

/**
 * What must be removed and added, in reading order, for `before` to become `after`. Fewest where no line stands twice, as in
 * chains and sets; in n log n steps always, since a set may have a hundred thousand members.
 */
export function diffLines(before: readonly string[], after: readonly string[]): readonly LineChange[] {
  const changes: LineChange[] = []
  let from = 0
  let to = 0
  for (const [keptBefore, keptAfter] of [
    ...keptLines(before, after),
    [before.length, after.length] as const,
  ]) {
    for (; from < keptBefore; from++) changes.push({ op: 'remove', line: before[from] as string })
    for (; to < keptAfter; to++) changes.push({ op: 'add', line: after[to] as string })
    from++
    to++
  }
  return changes
}

/** Pairs of places of the lines that stay: the longest run of matches that ascends on both sides (patience diff). */
function keptLines(
  before: readonly string[],
  after: readonly string[],
): readonly (readonly [number, number])[] {
  return longestAscending(matches(before, after))
}

/** The first occurrence of a line belongs to the first on the other side, the second to the second, … */
function matches(
  before: readonly string[],
  after: readonly string[],
): readonly (readonly [number, number])[] {
  const placesByLine = new Map<string, number[]>()
  for (const [place, line] of after.entries()) {
    const places = placesByLine.get(line)
    if (places === undefined) placesByLine.set(line, [place])
    else places.push(place)
  }
  const usedByLine = new Map<string, number>()
  return before.flatMap((line, place): (readonly [number, number])[] => {
    const used = usedByLine.get(line) ?? 0
    usedByLine.set(line, used + 1)
    const match = placesByLine.get(line)?.[used]
    return match === undefined ? [] : [[place, match]]
  })
}

interface Link {
  readonly pair: readonly [number, number]
  readonly previous: Link | undefined
}

function longestAscending(
  pairs: readonly (readonly [number, number])[],
): readonly (readonly [number, number])[] {
  /** `tails[n]`: the ascending run of n + 1 pairs that ends lowest. */
  const tails: Link[] = []
  for (const pair of pairs) {
    let low = 0
    let high = tails.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((tails[middle] as Link).pair[1] < pair[1]) low = middle + 1
      else high = middle
    }
    tails[low] = { pair, previous: tails[low - 1] }
  }
  const run: (readonly [number, number])[] = []
  for (let link = tails.at(-1); link !== undefined; link = link.previous) run.push(link.pair)
  return run.reverse()
}
