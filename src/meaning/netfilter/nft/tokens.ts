/** A word of a ruleset. */
export interface Token {
  readonly text: string
  readonly isQuoted: boolean
  /** Is it the first of its line? */
  readonly startsLine: boolean
  /** Offsets into the text. */
  readonly start: number
  readonly end: number
}

/**
 * Splits what `nft list ruleset` prints. Braces, parentheses, `|` and the `,` or `;` after a word stand alone; a list like
 * `established,related` is one word, as is a MAC. nft has no way to put a quote into a string. `#` begins a comment.
 */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = []
  let lineAt = -1
  let line = 0
  let at = 0
  const pattern = /"([^"\n]*)"|[{}()|,;]|[^\s{}()|;"]+/g
  for (const match of text.matchAll(pattern)) {
    const start = match.index
    for (
      let newline = text.indexOf('\n', at);
      newline >= 0 && newline < start;
      newline = text.indexOf('\n', at)
    ) {
      line++
      at = newline + 1
    }
    const [word, quoted] = match
    const startsLine = line !== lineAt
    lineAt = line
    if (quoted !== undefined) {
      tokens.push({ text: quoted, isQuoted: true, startsLine, start, end: start + word.length })
      continue
    }
    const bare = word.length > 1 ? word.replace(/,+$/, '') : word
    if (bare !== '') tokens.push({ text: bare, isQuoted: false, startsLine, start, end: start + bare.length })
    if (bare.length < word.length)
      tokens.push({
        text: ',',
        isQuoted: false,
        startsLine: false,
        start: start + bare.length,
        end: start + word.length,
      })
  }
  return tokens
}

/** Walks through tokens. */
export interface Cursor {
  readonly tokens: readonly Token[]
  at: number
}

/** The text of the token `ahead` of the present one; '' at the end. A quoted word is never taken for a keyword. */
export function peek(cursor: Cursor, ahead = 0): string {
  const token = cursor.tokens[cursor.at + ahead]
  return token === undefined ? '' : token.isQuoted ? `"${token.text}"` : token.text
}

/** Takes the present token if it is this word. */
export function accept(cursor: Cursor, word: string): boolean {
  if (peek(cursor) !== word) return false
  cursor.at++
  return true
}

/** Takes the present token, whatever it is. */
export function take(cursor: Cursor): Token | undefined {
  return cursor.tokens[cursor.at++]
}

/** The tokens between `{`, at the present place, and its `}`. `undefined` without one. */
export function takeBlock(cursor: Cursor): readonly Token[] | undefined {
  if (peek(cursor) !== '{') return undefined
  const start = cursor.at + 1
  let depth = 0
  while (cursor.at < cursor.tokens.length) {
    const text = peek(cursor)
    cursor.at++
    if (text === '{') depth++
    if (text === '}' && --depth === 0) return cursor.tokens.slice(start, cursor.at - 1)
  }
  return cursor.tokens.slice(start)
}

/** The parts between commas that stand in no braces or parentheses. */
export function splitAtCommas(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const parts: Token[][] = [[]]
  let depth = 0
  for (const token of tokens) {
    if (!token.isQuoted && (token.text === '{' || token.text === '(')) depth++
    if (!token.isQuoted && (token.text === '}' || token.text === ')')) depth--
    if (!token.isQuoted && token.text === ',' && depth === 0) parts.push([])
    else parts.at(-1)?.push(token)
  }
  return parts.filter((part) => part.length > 0)
}
