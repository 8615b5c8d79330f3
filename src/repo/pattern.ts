import { quote } from './quote.ts'
import type { Inventory } from './repo.ts'
import { suggest } from './suggest.ts'

/**
 * An Ansible host pattern, as `protects:` and `--limit` take it. Ansible's order, whatever the order written: first all that
 * is added, then all that is intersected (`&`), then all that is excluded (`!`). Source: ansible-core 2.14, inventory/manager.py.
 */
export interface HostPattern {
  readonly add: readonly string[]
  readonly intersect: readonly string[]
  readonly exclude: readonly string[]
}

export type PatternReading =
  | { readonly kind: 'pattern'; readonly pattern: HostPattern }
  /** `what: what to do`. */
  | { readonly kind: 'refused'; readonly message: string }

export interface PatternMatch {
  /** In the order of the inventory. */
  readonly hosts: readonly string[]
  /** Terms that name nothing, each as `unknown host or group "wbe": did you mean "web"?`. */
  readonly unknown: readonly string[]
}

/**
 * Reads `web:&prod:!canary` or the same with commas. What Ansible would take but we cannot stand by is refused: regular
 * expressions, subscripts (they depend on the order of the inventory), files (`@hosts.retry`), commas and colons mixed
 * (Ansible ignores the colons then).
 */
export function parsePattern(text: string): PatternReading {
  const terms = splitPattern(text)
  if (typeof terms === 'string') return refuse(terms)
  const pattern = { add: [] as string[], intersect: [] as string[], exclude: [] as string[] }
  for (const term of terms) {
    const sign = term[0]
    const name = sign === '!' || sign === '&' ? term.slice(1) : term
    const fault = faultOf(name)
    if (fault !== undefined) return refuse(`${quote(term)} ${fault}`)
    if (sign === '!') pattern.exclude.push(name)
    else if (sign === '&') pattern.intersect.push(name)
    else pattern.add.push(name)
  }
  if (pattern.add.length === 0) pattern.add.push('all')
  return { kind: 'pattern', pattern }
}

/** The hosts that a pattern means. A name that stands for nothing matches nobody and is told in `unknown`. */
export function matchPattern(pattern: HostPattern, inventory: Inventory): PatternMatch {
  const unknown: string[] = []
  const matched = new Set<string>()
  for (const term of pattern.add) for (const host of matchTerm(term, inventory, unknown)) matched.add(host)
  for (const term of pattern.intersect) {
    const kept = matchTerm(term, inventory, unknown)
    for (const host of matched) if (!kept.has(host)) matched.delete(host)
  }
  for (const term of pattern.exclude)
    for (const host of matchTerm(term, inventory, unknown)) matched.delete(host)
  return { hosts: [...inventory.hosts.keys()].filter((name) => matched.has(name)), unknown }
}

function refuse(message: string): PatternReading {
  return { kind: 'refused', message }
}

/** The terms, or what is wrong. A colon between brackets separates nothing. */
function splitPattern(text: string): readonly string[] | string {
  if (text.length > 4096) return 'the pattern is longer than 4096 characters: make a group'
  if (/[[\]]/.test(text.replace(/\[[^[\]]*\]/g, '')))
    return `${quote(text)} has a bracket without its pair: add or remove one`
  const bare = text.replace(/\[[^[\]]*\]/g, (inside) => 'x'.repeat(inside.length))
  if (bare.includes(',') && bare.includes(':'))
    return `${quote(text)} mixes "," and ":", which Ansible does not read: use one of them`
  const separator = bare.includes(',') ? ',' : ':'
  const terms: string[] = []
  let start = 0
  for (let end = 0; end <= bare.length; end++)
    if (end === bare.length || bare[end] === separator) {
      terms.push(text.slice(start, end).trim())
      start = end + 1
    }
  if (terms.includes(''))
    return `${quote(text)} has an empty term: write a name on both sides of "${separator}"`
  return terms
}

function faultOf(name: string): string | undefined {
  if (name === '') return 'names nothing: write a host or group after the sign'
  if (name.startsWith('~')) return 'is a regular expression: use a glob such as "web*", or make a group'
  if (name.startsWith('@')) return 'is a file of hosts: make a group'
  if (/^[!&]/.test(name)) return 'has two signs: keep one'
  // As Ansible's PATTERN_WITH_SUBSCRIPT.
  if (/^.+\[(-?\d+|\d+[:-]\d*)\]$/.test(name))
    return 'picks by position, which changes with the inventory: name the hosts'
  if (/\s/.test(name)) return 'has a space: separate terms with ":" or ","'
  if (!/^[A-Za-z0-9_.*?[\]!-]+$/.test(name))
    return 'has a character that no name has: use letters, digits, "_", ".", "-"'
  return undefined
}

function matchTerm(term: string, inventory: Inventory, unknown: string[]): ReadonlySet<string> {
  if (inventory.hosts.has(term)) return new Set([term])
  const group = term === '*' ? [...inventory.hosts.keys()] : inventory.groups.get(term)
  if (group !== undefined) return new Set(group)
  if (/[*?[]/.test(term)) return matchGlob(term, inventory, unknown)
  const near = suggest(term, [...inventory.groups.keys(), ...inventory.hosts.keys()])
  const advice =
    near === undefined ? 'add it to the inventory, or correct the name' : `did you mean ${quote(near)}?`
  unknown.push(`unknown host or group ${quote(term)}: ${advice}`)
  return new Set()
}

function matchGlob(glob: string, inventory: Inventory, unknown: string[]): ReadonlySet<string> {
  const matches = globMatcher(glob)
  const groups = [...inventory.groups].filter(([name]) => matches(name))
  const hosts = [...inventory.hosts.keys()].filter(matches)
  if (groups.length === 0 && hosts.length === 0)
    unknown.push(`no host or group matches ${quote(glob)}: correct the pattern`)
  return new Set([...groups.flatMap(([, members]) => members), ...hosts])
}

/**
 * A shell glob as Python's fnmatch reads it: `*`, `?`, `[abc]`, `[a-c]`, `[!abc]`. Walks two positions instead of building a
 * regular expression: many stars cost no more than the product of both lengths.
 */
function globMatcher(glob: string): (name: string) => boolean {
  const parts = glob.match(/\[!?\]?[^\]]*\]|[^]/g) ?? []
  return (name) => {
    let part = 0
    let at = 0
    let star: { readonly part: number; at: number } | undefined
    while (at < name.length) {
      const current = parts[part]
      if (current === '*') {
        star = { part: part++, at }
      } else if (current !== undefined && matchesOne(current, name.charAt(at))) {
        part++
        at++
      } else if (star !== undefined) {
        part = star.part + 1
        at = ++star.at
      } else return false
    }
    return parts.slice(part).every((rest) => rest === '*')
  }
}

function matchesOne(part: string, character: string): boolean {
  if (part === '?') return true
  if (part.length === 1) return part === character
  const negated = part[1] === '!'
  const body = part.slice(negated ? 2 : 1, -1)
  let inside = false
  for (let index = 0; index < body.length; index++) {
    const last = body[index + 1] === '-' ? body[index + 2] : undefined
    if (last === undefined) inside ||= body[index] === character
    else {
      inside ||= (body[index] as string) <= character && character <= last
      index += 2
    }
  }
  return inside !== negated
}
