import {
  type Keep,
  type Range,
  type Ranges,
  combineRanges,
  countOf,
  pieces,
  sameRanges,
} from './space-ranges.ts'

/** A column of an area: for every `x` from `first` to `last` the same `ys`. */
export interface Slab extends Range {
  readonly ys: Ranges
}

/**
 * A set of pairs (x, y) of whole numbers: destination and source port, or type and code. Slabs ascend, none is empty, and neighbours
 * with equal `ys` are one: equal areas are spelled alike.
 */
export type Area = readonly Slab[]

export function rectangle(x: Range, ys: Ranges): Area {
  return ys.length === 0 ? [] : [{ first: x.first, last: x.last, ys }]
}

/** One area made of two; `keep` as for ranges. */
export function combineAreas(left: Area, right: Area, keep: Keep): Area {
  const kept: Slab[] = []
  for (const { first, last, left: a, right: b } of pieces(left, right)) {
    const ys = combineRanges(a?.ys ?? [], b?.ys ?? [], keep)
    const before = kept.at(-1)
    if (ys.length === 0) continue
    if (before !== undefined && before.last + 1 === first && sameRanges(before.ys, ys))
      kept[kept.length - 1] = { first: before.first, last, ys }
    else kept.push({ first, last, ys })
  }
  return kept
}

/** How many pairs an area holds. */
export function sizeOfArea(area: Area): number {
  return area.reduce((sum, { first, last, ys }) => sum + (last - first + 1) * countOf(ys), 0)
}

/** Equal text means equal area. */
export function areaKey(area: Area): string {
  return area
    .map(({ first, last, ys }) => `${first}-${last}:${ys.map((y) => `${y.first}-${y.last}`).join('+')}`)
    .join(',')
}
