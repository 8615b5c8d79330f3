import type { Item, Test } from '../chain.ts'
import type { Passage } from '../passage.ts'
import { type Doubt, type Truth, doubt, negateIf } from '../truth.ts'
import { type Elements, readElements } from './elements.ts'
import { type Field, findField } from './fields.ts'
import { type Cursor, accept, peek, take, takeBlock } from './tokens.ts'
import { type Value, type ValueType, matchesPattern, readPattern } from './value.ts'

/** The named sets and maps of a rule's table. */
export type SetLookup = (name: string, types: readonly ValueType[]) => Elements | undefined

/** `FIELD [. FIELD]… [& mask] [operator] value`, or `… vmap …`. `undefined`: not understood; the cursor then stands where it stood. */
export function readRelation(cursor: Cursor, sets: SetLookup): readonly Item[] | undefined {
  const start = cursor.at
  const items = relationAt(cursor, sets)
  if (items === undefined) cursor.at = start
  return items
}

function relationAt(cursor: Cursor, sets: SetLookup): readonly Item[] | undefined {
  const start = cursor.at
  const names: string[] = []
  const fields: Field[] = []
  do {
    const found = findField([peek(cursor), peek(cursor, 1), peek(cursor, 2)])
    if (found === undefined) return undefined
    cursor.at += found.name.split(' ').length
    names.push(found.name)
    fields.push(found.field)
  } while (accept(cursor, '.'))
  const types = fields.map(({ type }) => type)
  const why = () =>
    doubt(
      `nft ${cursor.tokens
        .slice(start, cursor.at)
        .map(({ text }) => text)
        .join(' ')}`,
    )

  if (accept(cursor, 'vmap')) {
    const elements = elementsAt(cursor, types, sets)
    if (elements === undefined) return undefined
    const { lookup, name } = elements
    const answer = why()
    return [{ kind: 'lookup', find: (passage) => found(passage, fields, name, lookup, answer) }]
  }
  const [field] = fields
  if (field === undefined) return undefined
  if (fields.length === 1 && (accept(cursor, '&') || accept(cursor, 'and')))
    return test(maskedTest(cursor, names[0] ?? '', field))
  const isNegated = accept(cursor, '!=')
  if (!isNegated && fields.length === 1) {
    const compared = comparedTest(cursor, field)
    if (compared !== undefined) return test(compared)
  }
  const isExact = isNegated || accept(cursor, '==')
  if (peek(cursor) === '{' || peek(cursor).startsWith('@')) {
    const elements = elementsAt(cursor, types, sets)
    if (elements === undefined) return undefined
    return test((passage) => {
      const values = valuesOf(passage, fields)
      if (values === undefined) return false
      if ('why' in values) return values
      if (passage.changedSets.has(elements.name))
        return doubt(`set "${elements.name}" was changed on the way`)
      return negateIf(isNegated, elements.lookup.has(values))
    })
  }
  return fields.length === 1 ? test(plainTest(cursor, field, { isNegated, isExact })) : undefined
}

function test(value: Test | undefined): readonly Item[] | undefined {
  return value === undefined ? undefined : [{ kind: 'test', test: value }]
}

function found(
  passage: Passage,
  fields: readonly Field[],
  name: string,
  lookup: Elements,
  changed: Doubt,
): ReturnType<Elements['verdictOf']> {
  const values = valuesOf(passage, fields)
  if (values === undefined || 'why' in values) return values
  return passage.changedSets.has(name) ? changed : lookup.verdictOf(values)
}

function valuesOf(passage: Passage, fields: readonly Field[]): readonly Value[] | Doubt | undefined {
  const values: Value[] = []
  let unsure: Doubt | undefined
  for (const field of fields) {
    const value = field.read(passage)
    if (value === undefined) return undefined
    if (typeof value === 'object') unsure ??= value
    else values.push(value)
  }
  return unsure ?? values
}

function elementsAt(
  cursor: Cursor,
  types: readonly ValueType[],
  sets: SetLookup,
): { readonly name: string; readonly lookup: Elements } | undefined {
  const block = takeBlock(cursor)
  if (block !== undefined) return { name: '', lookup: readElements(block, types, 'a set') }
  const name = (take(cursor)?.text ?? '').slice(1)
  const lookup = sets(name, types)
  return lookup === undefined ? undefined : { name, lookup }
}

function numeric(field: Field, judge: (value: bigint) => Truth): Test {
  return (passage) => {
    const value = field.read(passage)
    if (value === undefined) return false
    return typeof value === 'bigint' ? judge(value) : typeof value === 'object' ? value : false
  }
}

/** `& 0xff == 0x10`, `& (fin | syn) != syn`. Of a fragment's offset only is known whether it is 0. */
function maskedTest(cursor: Cursor, name: string, field: Field): Test | undefined {
  const isOffset = name === 'ip frag-off'
  const type = isOffset ? fragmentOffset.type : field.type
  const mask = flagsAt(cursor, type)
  const sign = take(cursor)?.text
  const wanted = flagsAt(cursor, type)
  if (mask === undefined || wanted === undefined || (sign !== '==' && sign !== '!=')) return undefined
  if (isOffset && mask === 0x1fffn && wanted === 0n)
    return numeric(fragmentOffset, (value) => (value === 0n) === (sign === '=='))
  return numeric(field, (value) => ((value & mask) === wanted) === (sign === '=='))
}

/** 0, or something else. */
const fragmentOffset: Field = {
  type: {
    name: 'offset',
    bits: 16,
    isFlags: false,
    read: (text) => (/^(0x)?[0-9a-f]+$/.test(text) ? BigInt(text) : undefined),
  },
  read: ({ ip }) => (ip?.family === 4 ? (ip.fragment === 'later' ? 1n : 0n) : undefined),
}

/** `< 5`, `>= 5`, and `! syn` for "none of these flags". */
function comparedTest(cursor: Cursor, field: Field): Test | undefined {
  const sign = peek(cursor)
  if (!/^(<|>|<=|>=|!)$/.test(sign)) return undefined
  const start = cursor.at
  cursor.at++
  const limit = flagsAt(cursor, field.type)
  if (limit === undefined) {
    cursor.at = start
    return undefined
  }
  switch (sign) {
    case '<':
      return numeric(field, (value) => value < limit)
    case '>':
      return numeric(field, (value) => value > limit)
    case '<=':
      return numeric(field, (value) => value <= limit)
    case '>=':
      return numeric(field, (value) => value >= limit)
    default:
      return numeric(field, (value) => (value & limit) === 0n)
  }
}

/**
 * A value, a range or a prefix; of flags: any of those listed, exactly those with an operator, and `syn / fin,syn` with a mask. A
 * field that we do not read takes one word.
 */
function plainTest(
  cursor: Cursor,
  field: Field,
  { isNegated, isExact }: { readonly isNegated: boolean; readonly isExact: boolean },
): Test | undefined {
  if (field.type.isFlags) {
    const bits = flagsAt(cursor, field.type)
    if (bits === undefined) return undefined
    const mask = accept(cursor, '/') ? flagsAt(cursor, field.type) : ~0n
    if (mask === undefined) return undefined
    if (mask !== ~0n || isExact) return numeric(field, (value) => ((value & mask) === bits) !== isNegated)
    return numeric(field, (value) => (value & bits) !== 0n)
  }
  const token = take(cursor)
  if (token === undefined || /^[{}()|;]$/.test(token.text)) return undefined
  const pattern = readPattern(token.text, field.type)
  const unread = doubt(`nft value "${token.text}"`)
  return (passage) => {
    const value = field.read(passage)
    if (value === undefined) return false
    if (typeof value === 'object') return value
    return pattern === undefined ? unread : matchesPattern(pattern, value) !== isNegated
  }
}

/** One number, or flags: `syn`, `fin,syn`, `fin | syn`, `(fin | syn)`. */
function flagsAt(cursor: Cursor, type: ValueType): bigint | undefined {
  const isInParentheses = accept(cursor, '(')
  let bits = 0n
  do {
    for (const word of (take(cursor)?.text ?? '').split(',')) {
      const bit = type.read(word)
      if (typeof bit !== 'bigint') return undefined
      bits |= bit
    }
  } while (accept(cursor, '|'))
  return isInParentheses && !accept(cursor, ')') ? undefined : bits
}
