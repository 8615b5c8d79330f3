import {
  type Address,
  type Family,
  addressBits,
  addressValue,
  familyOf,
  formatAddress,
  parseAddress,
} from './address.ts'

/** An IPv4 or IPv6 network in its one spelling, always with its length: `10.0.0.0/24`, `2001:db8::1/128`. */
export type Prefix = string & { readonly __brand: 'Prefix' }

/** A run of addresses, both ends included. The working form of set algebra; never leaves `net`. */
interface Span {
  readonly first: bigint
  readonly last: bigint
}

/**
 * Reads `address`, or `address/bits` without host bits. `undefined` when it is neither; see `maskHostBits` for what was
 * meant when only host bits are in the way.
 */
export function parsePrefix(text: string): Prefix | undefined {
  const masked = maskHostBits(text)
  const [address, bits] = text.split('/')
  const canonical = address === undefined ? undefined : parseAddress(address)
  if (masked === undefined || canonical === undefined) return undefined
  return bits === undefined || masked === `${canonical}/${bits}` ? masked : undefined
}

/** The network that `address/bits` lies in, host bits cleared. `undefined` when it is not an address with a length. */
export function maskHostBits(text: string): Prefix | undefined {
  const match = /^([^/]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text)
  const address = match?.[1] === undefined ? undefined : parseAddress(match[1])
  if (match === null || address === undefined) return undefined
  const family = familyOf(address)
  const width = addressBits(family)
  const bits = match[2] === undefined ? width : Number(match[2])
  if (bits > width) return undefined
  const hostBits = BigInt(width - bits)
  return `${formatAddress((addressValue(address) >> hostBits) << hostBits, family)}/${bits}` as Prefix
}

/** The prefix of a single address. */
export function hostPrefix(address: Address): Prefix {
  return `${address}/${addressBits(familyOf(address))}` as Prefix
}

/** Number of leading bits that a prefix fixes. */
export function prefixBits(prefix: Prefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1))
}

/** The first address of a prefix. */
export function prefixAddress(prefix: Prefix): Address {
  return prefix.slice(0, prefix.indexOf('/')) as Address
}

/** Does `outer` hold every address of `inner`? Prefixes of different families never contain each other. */
export function contains(outer: Prefix, inner: Prefix | Address): boolean {
  if (familyOf(outer) !== familyOf(inner)) return false
  const inside = spanOf(inner.includes('/') ? (inner as Prefix) : hostPrefix(inner as Address))
  const around = spanOf(outer)
  return around.first <= inside.first && inside.last <= around.last
}

/** The prefixes of one family, in the order given. */
export function ofFamily(prefixes: readonly Prefix[], family: Family): readonly Prefix[] {
  return prefixes.filter((prefix) => familyOf(prefix) === family)
}

/** The fewest prefixes that hold exactly the same addresses; IPv4 before IPv6, ascending. */
export function aggregate(prefixes: readonly Prefix[]): readonly Prefix[] {
  return eachFamily((family) => merge(spans(prefixes, family)))
}

/** The addresses of `prefixes` that are not in `without`, as the fewest prefixes, in the order of `aggregate`. */
export function subtract(prefixes: readonly Prefix[], without: readonly Prefix[]): readonly Prefix[] {
  return eachFamily((family) => cut(merge(spans(prefixes, family)), merge(spans(without, family))))
}

/** The addresses that are in both, as the fewest prefixes, in the order of `aggregate`. */
export function intersect(left: readonly Prefix[], right: readonly Prefix[]): readonly Prefix[] {
  return subtract(left, subtract(left, right))
}

/** The addresses from `first` to `last`, both included, as the fewest prefixes. Empty when they are reversed or of two families. */
export function rangePrefixes(first: Address, last: Address): readonly Prefix[] {
  if (familyOf(first) !== familyOf(last)) return []
  const span = { first: addressValue(first), last: addressValue(last) }
  return span.first > span.last ? [] : split(span, familyOf(first))
}

function eachFamily(spansOf: (family: Family) => readonly Span[]): readonly Prefix[] {
  return ([4, 6] as const).flatMap((family) => spansOf(family).flatMap((span) => split(span, family)))
}

function spans(prefixes: readonly Prefix[], family: Family): Span[] {
  return ofFamily(prefixes, family).map(spanOf)
}

function spanOf(prefix: Prefix): Span {
  const address = prefixAddress(prefix)
  const first = addressValue(address)
  const hostBits = BigInt(addressBits(familyOf(address)) - prefixBits(prefix))
  return { first, last: first + (1n << hostBits) - 1n }
}

function merge(input: readonly Span[]): readonly Span[] {
  const sorted = [...input].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))
  const merged: Span[] = []
  for (const span of sorted) {
    const before = merged.at(-1)
    if (before === undefined || span.first > before.last + 1n) merged.push(span)
    else if (span.last > before.last) merged[merged.length - 1] = { first: before.first, last: span.last }
  }
  return merged
}

/** Both inputs merged and ascending. */
function cut(from: readonly Span[], holes: readonly Span[]): readonly Span[] {
  const rest: Span[] = []
  let next = 0
  for (const span of from) {
    let first = span.first
    while (next < holes.length && (holes[next] as Span).last < first) next++
    for (let index = next; index < holes.length && (holes[index] as Span).first <= span.last; index++) {
      const hole = holes[index] as Span
      if (hole.first > first) rest.push({ first, last: hole.first - 1n })
      if (hole.last >= first) first = hole.last + 1n
    }
    if (first <= span.last) rest.push({ first, last: span.last })
  }
  return rest
}

function split(span: Span, family: Family): Prefix[] {
  const width = BigInt(addressBits(family))
  const prefixes: Prefix[] = []
  let first = span.first
  while (first <= span.last) {
    let hostBits = 0n
    while (
      hostBits < width &&
      first % (1n << (hostBits + 1n)) === 0n &&
      first + (1n << (hostBits + 1n)) - 1n <= span.last
    )
      hostBits++
    prefixes.push(`${formatAddress(first, family)}/${width - hostBits}` as Prefix)
    first += 1n << hostBits
  }
  return prefixes
}
