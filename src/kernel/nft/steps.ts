import type { Change, Step } from '../backend.ts'
import { mapHeader, mapKey, tableKey } from './table.ts'

const table = 'bridge gitwall'

/** A change, both sides told apart by `undefined`. */
interface ObjectChange {
  readonly key: string
  readonly before: string | undefined
  readonly after: string | undefined
}

/**
 * One transaction: changed chains are emptied and written anew, the map changes by elements, and what is lost goes when nothing
 * leads to it any more. A file that nft(8) reads with `-f` is applied as a whole or not at all.
 */
export function stepsFor(changes: readonly Change[]): readonly Step[] {
  if (changes.length === 0) return []
  const all = changes.map(sidesOf)
  const own = all.find(({ key }) => key === tableKey)
  if (own !== undefined && own.after === undefined) return run([`delete table ${table}`])
  const objects = all.filter(({ key }) => key !== tableKey)
  const removed = objects.filter(({ after }) => after === undefined)
  const replaced = objects.filter(({ before, after }) => before !== undefined && after !== undefined)
  const map = replaced.find(({ key }) => key === mapKey)
  const rewritten = replaced.filter(({ key }) => key !== mapKey)
  return run([
    addTable(own?.after),
    ...(map === undefined ? [] : lostElements(map)),
    ...rewritten.flatMap(({ key, before, after }) => [
      ...flush(key),
      ...(isRemade(key, before, after) ? [remove(key)] : []),
    ]),
    ...blocks(
      objects.filter(({ key, before }) => before === undefined || key !== mapKey),
      'after',
    ),
    ...(map === undefined ? [] : wonElements(map)),
    ...removed.flatMap(({ key }) => flush(key)),
    ...removed.map(({ key }) => remove(key)),
  ])
}

/**
 * The way back in one transaction, whatever stands there now: every changed object is made (which changes none that exists),
 * emptied, and then written as it was or deleted. Base chains are always remade, since their hook cannot be changed.
 */
export function undoFor(changes: readonly Change[]): readonly Step[] {
  if (changes.length === 0) return []
  const all = changes.map(sidesOf)
  const own = all.find(({ key }) => key === tableKey)
  if (own !== undefined && own.before === undefined) return run([addTable(''), `delete table ${table}`])
  const objects = all.filter(({ key }) => key !== tableKey)
  const remade = objects.filter(({ key, before, after }) => isChain(key) && (isBase(before) || isBase(after)))
  return run([
    addTable(own?.before),
    ...objects.flatMap(ensure),
    ...objects.flatMap(({ key }) => flush(key)),
    ...remade.map(({ key }) => remove(key)),
    ...blocks(objects, 'before'),
    ...objects
      .filter((change) => change.before === undefined && !remade.includes(change))
      .map(({ key }) => remove(key)),
  ])
}

function sidesOf(change: Change): ObjectChange {
  return {
    key: change.key,
    before: change.op === 'add' ? undefined : change.before,
    after: change.op === 'remove' ? undefined : change.after,
  }
}

/** Also sets the flags of a table that exists, and clears them: `dormant` would switch all of it off. */
function addTable(flags = ''): string {
  return flags === '' ? `add table ${table}` : `add table ${table} { ${flags.split('\n').join('; ')}; }`
}

/** `chain x` → `chain bridge gitwall x`. */
function nameOf(key: string): string {
  return key.replace(' ', ` ${table} `)
}

function isChain(key: string): boolean {
  return key.startsWith('chain ')
}

/** Does the text of a chain begin with its hook? */
function isBase(text: string | undefined): boolean {
  return text?.startsWith('type ') ?? false
}

/** Objects other than chains have no content apart from what they are; a chain's hook is fixed when it is made. */
function isRemade(key: string, before = '', after = ''): boolean {
  return (
    !isChain(key) || ((isBase(before) || isBase(after)) && before.split('\n')[0] !== after.split('\n')[0])
  )
}

function flush(key: string): readonly string[] {
  return /^(chain|map|set) /.test(key) ? [`flush ${nameOf(key)}`] : []
}

function remove(key: string): string {
  return `delete ${nameOf(key)}`
}

function ensure({ key, before, after }: ObjectChange): readonly string[] {
  if (isChain(key)) return [`add ${nameOf(key)}`]
  if (key === mapKey) return [`add ${nameOf(key)} { ${mapHeader}; }`]
  return blocks([{ key, before: before ?? after, after }], 'before')
}

/** Objects in nft's own file form; within one block nft finds its own order for what leads to what. */
function blocks(objects: readonly ObjectChange[], side: 'before' | 'after'): readonly string[] {
  const present = objects.flatMap((object) => {
    const text = object[side]
    return text === undefined ? [] : [`${object.key} {`, ...bodyOf(object.key, text), '}']
  })
  return present.length === 0 ? [] : [`table ${table} {`, ...present, '}']
}

function bodyOf(key: string, text: string): readonly string[] {
  const [header = '', ...elements] = text.split('\n')
  if (key !== mapKey) return text.split('\n')
  return elements.length === 0 ? [header] : [header, `elements = { ${elements.join(', ')} }`]
}

function lostElements({ before, after }: ObjectChange): readonly string[] {
  const wanted = new Set(elementsOf(after))
  const lost = elementsOf(before).filter((element) => !wanted.has(element))
  return lost.length === 0 ? [] : [`delete element ${table} from { ${lost.map(portOf).join(', ')} }`]
}

function wonElements({ before, after }: ObjectChange): readonly string[] {
  const old = new Set(elementsOf(before))
  const won = elementsOf(after).filter((element) => !old.has(element))
  return won.length === 0 ? [] : [`add element ${table} from { ${won.join(', ')} }`]
}

function elementsOf(text = ''): readonly string[] {
  return text.split('\n').slice(1)
}

/** `"tap101i0" : goto from-tap101i0` → `"tap101i0"`. */
function portOf(element: string): string {
  return element.split(' : ')[0] ?? ''
}

function run(lines: readonly string[]): readonly Step[] {
  return [{ phase: 'switch', kind: 'nft', argv: ['nft', '-f', '-'], stdin: `${lines.join('\n')}\n` }]
}
