import type { Source } from './problem.ts'

/** A YAML value with its place: aliases resolved (an aliased value stands where its anchor does), merge keys merged. */
export type Node = Scalar | List | Mapping

export interface Scalar {
  readonly kind: 'scalar'
  readonly at: Source
  /** As YAML 1.2's core schema reads it; `undefined` is YAML's null. */
  readonly value: string | number | boolean | undefined
  /** A plain scalar as it is written, without quotes: the only style whose type is guessed. `undefined` for other styles. */
  readonly plain?: string
  /** An Ansible tag, `!vault` or `!unsafe`. */
  readonly tag?: string
}

export interface List {
  readonly kind: 'list'
  readonly at: Source
  readonly items: readonly Node[]
}

export interface Mapping {
  readonly kind: 'mapping'
  readonly at: Source
  readonly entries: ReadonlyMap<string, Entry>
}

/** A key of a mapping with its value. */
export interface Entry {
  readonly key: string
  /** The place of the key. */
  readonly at: Source
  /** The key as written when it is plain, as in `Scalar`. */
  readonly plainKey?: string
  readonly value: Node
}

/** The entries of a mapping, in order; none for anything else. */
export function entriesOf(node: Node | undefined): readonly Entry[] {
  return node?.kind === 'mapping' ? [...node.entries.values()] : []
}

/** The value under `key`; `undefined` for a missing key and for anything that is not a mapping. */
export function child(node: Node | undefined, key: string): Node | undefined {
  return node?.kind === 'mapping' ? node.entries.get(key)?.value : undefined
}

/** The items of a list; a single value counts as a list of one, an absent or empty one as none. */
export function itemsOf(node: Node | undefined): readonly Node[] {
  if (node === undefined || isEmpty(node)) return []
  return node.kind === 'list' ? node.items : [node]
}

/** The text of a scalar that is text; `undefined` for numbers, booleans, null and collections. */
export function textOf(node: Node | undefined): string | undefined {
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined
}

/** The number of a scalar that is a whole number. */
export function integerOf(node: Node | undefined): number | undefined {
  return node?.kind === 'scalar' && Number.isSafeInteger(node.value) ? (node.value as number) : undefined
}

function isEmpty(node: Node): boolean {
  return node.kind === 'scalar' && node.value === undefined
}

/** Plain JavaScript values, as a schema validator wants them. Objects have no prototype, so that no key is special. */
export function plainValue(node: Node): unknown {
  switch (node.kind) {
    case 'scalar':
      // JSON Schema knows null only.
      return node.value === undefined ? null : node.value
    case 'list':
      return node.items.map(plainValue)
    case 'mapping': {
      const object = Object.create(null) as Record<string, unknown>
      for (const entry of node.entries.values()) object[entry.key] = plainValue(entry.value)
      return object
    }
  }
}
