import { type Cursor, type Token, accept, peek, take, takeBlock, tokenize } from './tokens.ts'

/** A table as `nft list ruleset` prints it, not yet understood. */
export interface TableText {
  readonly family: string
  readonly name: string
  /** Is it switched off as a whole? */
  readonly isDormant: boolean
  readonly chains: ReadonlyMap<string, ChainText>
  /** Sets and maps. */
  readonly sets: ReadonlyMap<string, SetText>
}

export interface ChainText {
  /** The line of a base chain, `type filter hook … policy accept;`, and its words; absent: not a base chain. */
  readonly base?: LineText
  readonly rules: readonly LineText[]
}

export interface SetText {
  readonly isMap: boolean
  readonly elements: readonly Token[]
}

/** A line and its words. */
export interface LineText {
  readonly line: string
  readonly tokens: readonly Token[]
}

/** Reads `nft list ruleset`, also of a broken text: what has no place is left out, and a table that ends too early is what is there. */
export function parseRuleset(text: string): readonly TableText[] {
  const cursor: Cursor = { tokens: tokenize(withoutComments(text)), at: 0 }
  const tables: TableText[] = []
  while (cursor.at < cursor.tokens.length) {
    if (!accept(cursor, 'table')) {
      cursor.at++
      continue
    }
    const hasFamily = peek(cursor, 1) !== '{'
    const family = hasFamily ? (take(cursor)?.text ?? '') : 'ip'
    const name = take(cursor)?.text ?? ''
    const body = takeBlock(cursor)
    if (body !== undefined) tables.push(readTable(family, name, body, text))
  }
  return tables
}

/** Whole lines only: what follows a rule behind `#` says that nft could not print all of it. Offsets stay. */
function withoutComments(text: string): string {
  return text.replaceAll(/^[ \t]*#.*$/gm, (line) => ' '.repeat(line.length))
}

function readTable(family: string, name: string, body: readonly Token[], text: string): TableText {
  const chains = new Map<string, ChainText>()
  const sets = new Map<string, SetText>()
  const cursor: Cursor = { tokens: body, at: 0 }
  let isDormant = false
  while (cursor.at < body.length) {
    const kind = peek(cursor)
    if (kind === 'flags') isDormant ||= flagsAt(cursor).includes('dormant')
    const isNamedBlock = peek(cursor, 2) === '{' && /^(chain|set|map|meter)$/.test(kind)
    if (!isNamedBlock) {
      if (takeBlock(cursor) === undefined) cursor.at++
      continue
    }
    cursor.at++
    const key = take(cursor)?.text ?? ''
    const block = takeBlock(cursor) ?? []
    if (kind === 'chain') chains.set(key, readChain(block, text))
    else sets.set(key, { isMap: kind === 'map', elements: elementsOf(block) })
  }
  return { family, name, isDormant, chains, sets }
}

function flagsAt(cursor: Cursor): readonly string[] {
  return (cursor.tokens[cursor.at + 1]?.text ?? '').split(',')
}

function elementsOf(block: readonly Token[]): readonly Token[] {
  const at = block.findIndex(({ text, isQuoted }, index) => {
    return !isQuoted && text === 'elements' && block[index + 1]?.text === '='
  })
  return at < 0 ? [] : (takeBlock({ tokens: block, at: at + 2 }) ?? [])
}

function readChain(block: readonly Token[], text: string): ChainText {
  const lines: Token[][] = []
  let depth = 0
  for (const token of block) {
    if (depth === 0 && (token.startsLine || lines.length === 0)) lines.push([])
    if (!token.isQuoted && token.text === '{') depth++
    if (!token.isQuoted && token.text === '}') depth--
    lines.at(-1)?.push(token)
  }
  const texts = lines
    .filter((tokens) => tokens[0]?.text !== 'comment')
    .map((tokens) => ({ line: lineOf(tokens, text), tokens }))
  const base = texts.find(({ tokens }) => tokens[0]?.text === 'type' && tokens[2]?.text === 'hook')
  return { ...(base === undefined ? {} : { base }), rules: texts.filter((one) => one !== base) }
}

function lineOf(tokens: readonly Token[], text: string): string {
  const [first, last] = [tokens[0], tokens.at(-1)]
  return first === undefined || last === undefined ? '' : text.slice(first.start, last.end)
}
