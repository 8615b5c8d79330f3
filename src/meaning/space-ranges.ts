/** Whole numbers from `first` to `last`, both included, 0 or greater. */
export interface Range {
  readonly first: number
  readonly last: number
}

/** A set of whole numbers: ascending, disjoint, and never two where one would do, so that equal sets are spelled alike. */
export type Ranges = readonly Range[]

/** Which numbers of two sets a new set keeps. It must not keep what is in neither. */
export type Keep = (inLeft: boolean, inRight: boolean) => boolean

export const inEither: Keep = (left, right) => left || right
export const inBoth: Keep = (left, right) => left && right
export const inLeftOnly: Keep = (left, right) => left && !right

/** One set made of two, in one pass over both. */
export function combineRanges(left: Ranges, right: Ranges, keep: Keep): Ranges {
  const kept: Range[] = []
  for (const { first, last, left: a, right: b } of pieces(left, right)) {
    if (!keep(a !== undefined, b !== undefined)) continue
    const before = kept.at(-1)
    if (before !== undefined && before.last + 1 === first)
      kept[kept.length - 1] = { first: before.first, last }
    else kept.push({ first, last })
  }
  return kept
}

/** A stretch on which nothing begins or ends, and what covers it on each side. */
export interface Piece<T extends Range> extends Range {
  readonly left: T | undefined
  readonly right: T | undefined
}

/** Cuts two ascending, disjoint lists at all their ends. What neither covers is left out. */
export function pieces<T extends Range>(left: readonly T[], right: readonly T[]): readonly Piece<T>[] {
  const cut: Piece<T>[] = []
  let [i, j, at] = [0, 0, 0]
  for (;;) {
    const [a, b] = [left[i], right[j]]
    if (a === undefined && b === undefined) return cut
    const first = Math.max(at, Math.min(a?.first ?? Infinity, b?.first ?? Infinity))
    const isInA = a !== undefined && a.first <= first
    const isInB = b !== undefined && b.first <= first
    const last = Math.min(endOf(a, isInA), endOf(b, isInB))
    cut.push({ first, last, left: isInA ? a : undefined, right: isInB ? b : undefined })
    at = last + 1
    if (a !== undefined && a.last < at) i++
    if (b !== undefined && b.last < at) j++
  }
}

function endOf(range: Range | undefined, isInside: boolean): number {
  if (range === undefined) return Infinity
  return isInside ? range.last : range.first - 1
}

/** How many numbers a set holds. */
export function countOf(ranges: Ranges): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0)
}

export function sameRanges(left: Ranges, right: Ranges): boolean {
  return (
    left.length === right.length &&
    left.every(({ first, last }, index) => first === right[index]?.first && last === right[index].last)
  )
}

/** Any ranges as a set. */
export function rangesOf(ranges: readonly Range[]): Ranges {
  const merged: Range[] = []
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = merged.at(-1)
    if (before === undefined || range.first > before.last + 1) merged.push(range)
    else if (range.last > before.last) merged[merged.length - 1] = { first: before.first, last: range.last }
  }
  return merged
}
