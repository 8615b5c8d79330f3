import { type Family, addressBits, addressValue, familyOf, formatAddress } from '../net/address.ts'
import { type Prefix, aggregate, prefixAddress, prefixBits, rangePrefixes } from '../net/prefix.ts'

/** Both IP versions whole, as `any` means them. */
export const everyone: readonly Prefix[] = ['0.0.0.0/0' as Prefix, '::/0' as Prefix]

/** A run of addresses of one family, both ends included. */
export interface Span {
  readonly first: bigint
  readonly last: bigint
}

/** A list as ascending, disjoint spans of each family. */
export interface Spans {
  readonly 4: readonly Span[]
  readonly 6: readonly Span[]
}

/** Addresses with the same place in every list under study. */
export interface AddressClass {
  readonly family: Family
  readonly spans: readonly Span[]
  /** Indexes of the lists that hold it, ascending. */
  readonly lists: readonly number[]
}

const spansByList = new WeakMap<readonly Prefix[], Spans>()

/** Spans of an aggregated list. Lists are shared by many rules; each is read once. */
export function spansOf(prefixes: readonly Prefix[]): Spans {
  const known = spansByList.get(prefixes)
  if (known !== undefined) return known
  const spans = { 4: readSpans(prefixes, 4), 6: readSpans(prefixes, 6) }
  spansByList.set(prefixes, spans)
  return spans
}

function readSpans(prefixes: readonly Prefix[], family: Family): readonly Span[] {
  const spans = prefixes.filter((prefix) => familyOf(prefix) === family).map(spanOf)
  const isCanonical = spans.every(
    (span, index) => index === 0 || (spans[index - 1] as Span).last < span.first,
  )
  // Lists of a model are aggregated; others may come in any order.
  return isCanonical
    ? spans
    : aggregate(prefixes)
        .filter((prefix) => familyOf(prefix) === family)
        .map(spanOf)
}

function spanOf(prefix: Prefix): Span {
  const first = addressValue(prefixAddress(prefix))
  const hostBits = addressBits(familyOf(prefix)) - prefixBits(prefix)
  return { first, last: first + (1n << BigInt(hostBits)) - 1n }
}

/** Does an ascending, disjoint list of spans hold the address? */
export function holds(spans: readonly Span[], value: bigint): boolean {
  const span = spans[firstEndingAt(spans, value)]
  return span !== undefined && span.first <= value
}

/** Index of the first span that does not end before `value`. */
function firstEndingAt(spans: readonly Span[], value: bigint): number {
  let [low, high] = [0, spans.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((spans[middle] as Span).last < value) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Cuts the addresses of `within` into the classes that `lists` tell apart; every address is in exactly one. A class need not be one
 * run. Costs as much as lies within, not as much as the lists hold.
 */
export function addressClasses(lists: readonly Spans[], within: Spans): readonly AddressClass[] {
  return ([4, 6] as const).flatMap((family) =>
    classesOf(
      lists.map((list) => list[family]),
      within[family],
      family,
    ),
  )
}

function classesOf(
  lists: readonly (readonly Span[])[],
  within: readonly Span[],
  family: Family,
): readonly AddressClass[] {
  const events = within.flatMap((region) => [
    { at: region.first, bit: 1n },
    { at: region.last + 1n, bit: 1n },
    ...lists.flatMap((spans, index) => eventsOf(spans, region, 2n << BigInt(index))),
  ])
  events.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
  const spansByMask = new Map<bigint, Span[]>()
  let mask = 0n
  for (const [index, { at, bit }] of events.entries()) {
    mask ^= bit
    const next = events[index + 1]?.at
    if ((mask & 1n) === 0n || next === undefined || next === at) continue
    addSpan(spansByMask, mask, { first: at, last: next - 1n })
  }
  return [...spansByMask].map(([key, spans]) => ({
    family,
    spans,
    lists: lists.flatMap((_, index) => ((key & (2n << BigInt(index))) === 0n ? [] : [index])),
  }))
}

/** Where a list begins and ends inside a region. */
function eventsOf(spans: readonly Span[], region: Span, bit: bigint): readonly { at: bigint; bit: bigint }[] {
  const events: { at: bigint; bit: bigint }[] = []
  for (let index = firstEndingAt(spans, region.first); index < spans.length; index++) {
    const span = spans[index] as Span
    if (span.first > region.last) break
    events.push({ at: span.first > region.first ? span.first : region.first, bit })
    events.push({ at: (span.last < region.last ? span.last : region.last) + 1n, bit })
  }
  return events
}

function addSpan(spansByMask: Map<bigint, Span[]>, mask: bigint, span: Span): void {
  const spans = spansByMask.get(mask)
  const before = spans?.at(-1)
  if (spans === undefined) spansByMask.set(mask, [span])
  else if (before !== undefined && before.last + 1n === span.first)
    spans[spans.length - 1] = { first: before.first, last: span.last }
  else spans.push(span)
}

/** The addresses of several classes as the fewest prefixes, IPv4 first. */
export function prefixesOfClasses(classes: readonly AddressClass[]): readonly Prefix[] {
  return aggregate(
    classes.flatMap(({ family, spans }) => spans.flatMap((span) => prefixesOfSpan(span, family))),
  )
}

function prefixesOfSpan({ first, last }: Span, family: Family): readonly Prefix[] {
  return rangePrefixes(formatAddress(first, family), formatAddress(last, family))
}

/**
 * How many addresses, for ranking only. IPv6 is brought to the scale of IPv4 (the fourth root of the number): one address counts 1, a
 * /64 65536, everything 2³², in both.
 */
export function volumeOf(prefixes: readonly Prefix[]): number {
  return prefixes.reduce((sum, prefix) => {
    const hostBits = addressBits(familyOf(prefix)) - prefixBits(prefix)
    return sum + 2 ** (familyOf(prefix) === 4 ? hostBits : hostBits / 4)
  }, 0)
}
