import type { Verdict } from '../chain.ts'
import { type Truth, doubt } from '../truth.ts'
import type { SetText } from './ruleset.ts'
import { type Token, splitAtCommas } from './tokens.ts'
import { type Pattern, type Value, type ValueType, matchesPattern, readPattern } from './value.ts'

/** What a set or map says of a tuple of values. `undefined`: nothing; a doubt where an element is not understood. */
export interface Elements {
  readonly has: (values: readonly Value[]) => Truth
  /** Of maps to verdicts. */
  readonly verdictOf: (values: readonly Value[]) => Verdict | ReturnType<typeof doubt> | undefined
}

interface Element {
  readonly patterns: readonly Pattern[]
  readonly verdict: Verdict | undefined
}

/** Numbers from `first` to `last`; those of one set never overlap. */
interface Span {
  readonly first: bigint
  readonly last: bigint
  readonly element: Element
}

/** Elements between braces, of a set in a rule or of one with a name; `types` of the fields that are looked up. */
export function readElements(
  tokens: SetText['elements'],
  types: readonly ValueType[],
  name: string,
): Elements {
  const exact = new Map<string, Element>()
  const spans: Span[] = []
  const others: Element[] = []
  let unread: string | undefined
  for (const part of splitAtCommas(tokens)) {
    const element = readElement(part, types)
    const [first] = element?.patterns ?? []
    if (element === undefined || first === undefined) unread ??= part.map(({ text }) => text).join(' ')
    else if (element.patterns.every((pattern) => pattern.kind === 'exact'))
      exact.set(
        element.patterns.map((pattern) => (pattern.kind === 'exact' ? pattern.value : '')).join(' '),
        element,
      )
    else if (element.patterns.length === 1 && first.kind === 'range') spans.push({ ...first, element })
    else others.push(element)
  }
  spans.sort((a, b) => (a.first < b.first ? -1 : 1))
  // The catch-all `*` comes last: nft asks it when nothing else is found.
  others.sort((a, b) => Number(isCatchAll(a)) - Number(isCatchAll(b)))
  const unreadable = unread === undefined ? undefined : doubt(`${name} has the element "${unread}"`)

  function find(values: readonly Value[]): Element | undefined {
    const [value] = values
    return (
      exact.get(values.join(' ')) ??
      (typeof value === 'bigint' ? spanOf(spans, value)?.element : undefined) ??
      others.find(({ patterns }) =>
        patterns.every((pattern, at) => matchesPattern(pattern, values[at] ?? '')),
      )
    )
  }
  return {
    has: (values) => find(values) !== undefined || (unreadable ?? false),
    verdictOf: (values) => {
      const found = find(values)
      if (found === undefined) return unreadable
      return found.verdict ?? doubt(`${name} leads to no verdict that we know`)
    },
  }
}

function isCatchAll({ patterns }: Element): boolean {
  return patterns.every(({ kind }) => kind === 'any')
}

function spanOf(spans: readonly Span[], value: bigint): Span | undefined {
  let [low, high] = [0, spans.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    const span = spans[middle]
    if (span === undefined) return undefined
    if (value < span.first) high = middle - 1
    else if (value > span.last) low = middle + 1
    else return span
  }
  return undefined
}

/** `key . key timeout 1h comment "…" : verdict`. */
function readElement(tokens: readonly Token[], types: readonly ValueType[]): Element | undefined {
  const colon = tokens.findIndex(({ text, isQuoted }) => text === ':' && !isQuoted)
  const left = colon < 0 ? tokens : tokens.slice(0, colon)
  const end = left.findIndex(
    ({ text, isQuoted }) => !isQuoted && /^(timeout|expires|counter|limit|quota|comment|last)$/.test(text),
  )
  const keys = splitAtDots(end < 0 ? left : left.slice(0, end))
  if (keys.length === 1 && isStar(keys[0]))
    return { patterns: types.map(() => ({ kind: 'any' })), verdict: verdictAt(tokens, colon) }
  if (keys.length !== types.length) return undefined
  const patterns = keys.map((key, index) => readKey(key, types[index]))
  return patterns.every((pattern) => pattern !== undefined)
    ? { patterns, verdict: verdictAt(tokens, colon) }
    : undefined
}

function isStar(key: readonly Token[] = []): boolean {
  return key.length === 1 && key.every(({ text, isQuoted }) => text === '*' && !isQuoted)
}

function splitAtDots(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const keys: Token[][] = [[]]
  for (const token of tokens) {
    if (token.text === '.' && !token.isQuoted) keys.push([])
    else keys.at(-1)?.push(token)
  }
  return keys
}

/** One word, or flags: `syn | ack`. */
function readKey(tokens: readonly Token[], type: ValueType | undefined): Pattern | undefined {
  const [first] = tokens
  if (first === undefined || type === undefined) return undefined
  if (tokens.length === 1) return readPattern(first.text, type)
  let value = 0n
  for (const [index, { text }] of tokens.entries()) {
    if (index % 2 === 1) {
      if (text !== '|') return undefined
      continue
    }
    const bit = type.read(text)
    if (typeof bit !== 'bigint') return undefined
    value |= bit
  }
  return { kind: 'exact', value }
}

function verdictAt(tokens: readonly Token[], colon: number): Verdict | undefined {
  return colon < 0 ? undefined : readVerdict(tokens.slice(colon + 1).map(({ text }) => text))
}

/** `accept`, `drop`, `continue`, `return`, `jump x`, `goto x`. */
export function readVerdict(words: readonly string[]): Verdict | undefined {
  const [kind, chain] = words
  switch (kind) {
    case 'accept':
    case 'drop':
    case 'continue':
    case 'return':
      return { kind }
    case 'jump':
    case 'goto':
      return chain === undefined ? undefined : { kind, chain }
    default:
      return undefined
  }
}
