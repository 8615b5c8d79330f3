/** An option as iptables-save prints it: `! --dport 22` is name `--dport`, negated, with one value. */
export interface Option {
  readonly name: string
  readonly isNegated: boolean
  readonly values: readonly string[]
}

/** `-m module` with its options. */
export interface MatchText {
  readonly module: string
  readonly options: readonly Option[]
}

/** A line `-A chain …` taken apart. */
export interface RuleText {
  readonly header: readonly Option[]
  readonly matches: readonly MatchText[]
  readonly target?: {
    readonly way: 'jump' | 'goto'
    readonly name: string
    readonly options: readonly Option[]
  }
}

/**
 * Options whose values may begin with a dash, as somebody chose them, with their number: iptables-save puts quotes around no word of
 * letters, digits, `_` and `-` (`xtables_save_string`), so `--comment -j` is a comment.
 */
const valueCounts: ReadonlyMap<string, number> = new Map([
  ['--comment', 1],
  ['--log-prefix', 1],
  ['--nflog-prefix', 1],
  ['--ulog-prefix', 1],
  ['--string', 1],
  ['--hex-string', 1],
  ['--name', 1],
  ['--hashlimit-name', 1],
  ['--helper', 1],
  ['--match-set', 2],
  ['--physdev-in', 1],
  ['--physdev-out', 1],
  ['-i', 1],
  ['-o', 1],
  ['-j', 1],
  ['-g', 1],
])

interface Word {
  readonly text: string
  readonly isQuoted: boolean
}

/** Reads what follows `-A chain `. `undefined` when an option has no place in a rule. */
export function readRule(text: string): RuleText | undefined {
  const options = readOptions(splitWords(text))
  if (options === undefined) return undefined
  const header: Option[] = []
  const matches: { module: string; options: Option[] }[] = []
  let target: { way: 'jump' | 'goto'; name: string; options: Option[] } | undefined
  for (const option of options) {
    const [value] = option.values
    if (target !== undefined) target.options.push(option)
    else if (option.name === '-j' || option.name === '-g') {
      if (value === undefined) return undefined
      target = { way: option.name === '-j' ? 'jump' : 'goto', name: value, options: [] }
    } else if (option.name === '-m') {
      if (value === undefined) return undefined
      matches.push({ module: value, options: [] })
    } else (matches.at(-1)?.options ?? header).push(option)
  }
  return { header, matches, ...(target === undefined ? {} : { target }) }
}

function readOptions(words: readonly Word[]): readonly Option[] | undefined {
  const options: Option[] = []
  let at = 0
  while (at < words.length) {
    const isNegated = isBang(words[at])
    if (isNegated) at++
    const name = words[at++]
    if (name === undefined || name.isQuoted || !name.text.startsWith('-')) return undefined
    const count = valueCounts.get(name.text)
    const end = count === undefined ? endOfValues(words, at) : Math.min(words.length, at + count)
    options.push({ name: name.text, isNegated, values: words.slice(at, end).map(({ text }) => text) })
    at = end
  }
  return options
}

function endOfValues(words: readonly Word[], from: number): number {
  let at = from
  while (at < words.length && !isOption(words[at]) && !isBang(words[at])) at++
  return at
}

function isOption(word: Word | undefined): boolean {
  return word !== undefined && !word.isQuoted && /^--?[a-z]/i.test(word.text)
}

function isBang(word: Word | undefined): boolean {
  return word?.text === '!' && !word.isQuoted
}

/** By spaces; `"…"` with `\` before quotes and backslashes is one word. */
function splitWords(text: string): readonly Word[] {
  const words: Word[] = []
  for (const [word, quoted] of text.matchAll(/"((?:[^"\\]|\\.)*)"|\S+/g))
    words.push(
      quoted === undefined
        ? { text: word, isQuoted: false }
        : { text: quoted.replaceAll(/\\(.)/g, '$1'), isQuoted: true },
    )
  return words
}
