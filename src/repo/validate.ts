import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { fail, failUnknown } from './collect.ts'
import type { Problem, Source } from './problem.ts'
import { harmless, quote, quoteList } from './quote.ts'
import { inventorySchema, policiesSchema, variablesSchema } from './schemas.generated.ts'
import { suggest } from './suggest.ts'
import { type Entry, type Node, child, plainValue } from './yaml-node.ts'

/** Name of a published schema. */
export type SchemaName = 'policies' | 'inventory' | 'variables'

/** Problems of one file beyond this number say nothing new. */
const maxProblems = 200

const schemas: Readonly<Record<SchemaName, object>> = {
  policies: policiesSchema,
  inventory: inventorySchema,
  variables: variablesSchema,
}

/** The checks of every schema. */
export type Schemas = Readonly<Record<SchemaName, ValidateFunction>>

/** Compiling takes about 40 ms, and the schemas are constants: done once, at the first call. */
let compiled: Schemas | undefined

export function compileSchemas(): Schemas {
  compiled ??= compileAll()
  return compiled
}

function compileAll(): Schemas {
  const ajv = new Ajv({ allErrors: true, verbose: true, allowUnionTypes: true, strictRequired: false })
  ajv.addKeyword({ keyword: 'patternErrorMessage', schemaType: 'string' })
  return {
    policies: ajv.compile(schemas.policies),
    inventory: ajv.compile(schemas.inventory),
    variables: ajv.compile(schemas.variables),
  }
}

/** Adds a problem for each place where `root` is not what the schema says. */
export function validate(root: Node, schema: ValidateFunction, problems: Problem[]): void {
  if (schema(plainValue(root))) return
  const errors = withoutEchoes((schema.errors ?? []).slice(0, 5 * maxProblems))
  for (const error of errors.slice(0, maxProblems)) {
    const place = find(root, error.instancePath)
    if (place !== undefined) report(error, place, problems)
  }
}

interface Place {
  readonly node: Node
  /** The key that the node stands under, or its number in a list; of the root: `the file`. */
  readonly name: string
  /** Where its key stands; for an item of a list the item itself. */
  readonly at: Source
}

function report(error: ErrorObject, place: Place, problems: Problem[]): void {
  const { node, name } = place
  const schema = error.parentSchema as Record<string, unknown>
  switch (error.keyword) {
    case 'additionalProperties':
      return reportKey(unwantedKey(error), schema, place, problems)
    case 'required':
      return fail(
        problems,
        'missing-key',
        place.at,
        missingKey(String(error.params['missingProperty']), schema),
      )
    case 'oneOf':
      return fail(
        problems,
        'verdict',
        place.at,
        `say exactly one of ${oneOfKeys(error).map(quote).join(', ')}`,
      )
    case 'type':
      return fail(
        problems,
        'wrong-type',
        node.at,
        `${name} must be ${typeWords(error.params['type'])}, found ${found(node)}`,
      )
    case 'enum':
      return reportChoice(error, place, problems)
    case 'pattern':
      return fail(
        problems,
        'bad-name',
        node.at,
        `${name}: ${shown(node)} is not allowed: use ${words(schema)}`,
      )
    case 'minItems':
    case 'minLength':
      return fail(problems, 'empty-value', node.at, `${name} is empty: write a value, or remove the key`)
    case 'maxLength':
      return fail(
        problems,
        'too-long',
        node.at,
        `${name} has more than ${String(error.params['limit'])} characters: shorten it`,
      )
    case 'minimum':
    case 'maximum':
      return fail(
        problems,
        'out-of-range',
        node.at,
        `${name} is ${shown(node)}: use ${String(schema['minimum'])} to ${String(schema['maximum'])}`,
      )
    default:
      return fail(problems, 'schema', node.at, `${name} ${harmless(error.message ?? 'is wrong', 80)}`)
  }
}

/** One mistake, one error: drops what another error of the same object explains already. */
function withoutEchoes(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const unwanted = errors.filter((error) => error.keyword === 'additionalProperties')
  const isSlipOf = (error: ErrorObject, keys: readonly string[]): boolean =>
    unwanted.some(
      (other) => other.instancePath === error.instancePath && suggest(unwantedKey(other), keys) !== undefined,
    )
  return errors.filter((error) => {
    if (error.keyword === 'required')
      return (
        !error.schemaPath.includes('/oneOf/') && !isSlipOf(error, [String(error.params['missingProperty'])])
      )
    return error.keyword !== 'oneOf' || !isSlipOf(error, oneOfKeys(error))
  })
}

function unwantedKey(error: ErrorObject): string {
  return String(error.params['additionalProperty'])
}

function oneOfKeys(error: ErrorObject): readonly string[] {
  return (error.schema as readonly { required: readonly string[] }[]).flatMap((branch) => branch.required)
}

function reportKey(key: string, schema: Record<string, unknown>, place: Place, problems: Problem[]): void {
  const entry = entryOf(place.node, key)
  const at = entry?.at ?? place.at
  if (schema['patternProperties'] !== undefined)
    return fail(problems, 'bad-name', at, `${quote(key)} is not allowed as a name: use ${words(schema)}`)
  const known = Object.keys(schema['properties'] ?? {})
  const opposite =
    known.includes('from') && key === 'to'
      ? 'from'
      : known.includes('to') && key === 'from'
        ? 'to'
        : undefined
  if (opposite !== undefined) {
    const direction = opposite === 'from' ? 'an inbound' : 'an outbound'
    return fail(
      problems,
      'unknown-key',
      at,
      `${direction} rule has no ${quote(key)}: write ${quote(opposite)}`,
    )
  }
  failUnknown(problems, { what: 'key', name: key, at, known, otherwise: `known here: ${quoteList(known)}` })
}

function missingKey(key: string, schema: Record<string, unknown>): string {
  if (key === 'from' || key === 'to')
    return `key ${quote(key)} is missing: write "${key}: any" if that is what you mean`
  const properties = (schema['properties'] ?? {}) as Record<string, { description?: string }>
  return `key ${quote(key)} is missing: ${properties[key]?.description ?? 'add it'}`
}

function reportChoice(error: ErrorObject, place: Place, problems: Problem[]): void {
  const choices = (error.params['allowedValues'] as readonly unknown[]).filter(
    (value) => typeof value === 'string',
  )
  const near = place.node.kind === 'scalar' ? suggest(String(place.node.value), choices) : undefined
  const hint = near === undefined ? '' : `: did you mean ${quote(near)}?`
  const message = `${place.name} must be one of ${choices.map(quote).join(', ')}, found ${found(place.node)}${hint}`
  fail(problems, 'wrong-value', place.node.at, message)
}

function words(schema: Record<string, unknown>): string {
  const text = schema['patternErrorMessage']
  return typeof text === 'string' ? text : 'another one'
}

const wordsByType: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  integer: 'a whole number',
  null: 'empty',
  number: 'a number',
  object: 'a mapping',
  string: 'text',
}

function typeWords(type: unknown): string {
  const types = Array.isArray(type) ? type : [type]
  return types.map((one) => wordsByType[String(one)] ?? String(one)).join(' or ')
}

function found(node: Node): string {
  switch (node.kind) {
    case 'list':
      return 'a list'
    case 'mapping':
      return 'a mapping'
    case 'scalar':
      if (node.value === undefined) return 'nothing'
      if (typeof node.value === 'string') return `the text ${quote(node.value)}`
      return `the ${typeof node.value === 'number' ? 'number' : 'truth value'} ${shown(node)} (quote it if it is text)`
  }
}

function shown(node: Node): string {
  return node.kind === 'scalar' ? quote(node.plain ?? String(node.value)) : `a ${node.kind}`
}

/** Follows a JSON pointer (RFC 6901). */
function find(root: Node, pointer: string): Place | undefined {
  let place: Place = { node: root, name: 'the file', at: root.at }
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    const next = step(place, key)
    if (next === undefined) return undefined
    place = next
  }
  return place
}

function step({ node, name }: Place, key: string): Place | undefined {
  if (node.kind === 'list') {
    const item = node.items[Number(key)]
    return item && { node: item, name: `item ${Number(key) + 1} of ${name}`, at: item.at }
  }
  const entry = entryOf(node, key)
  return entry && child(node, key) && { node: entry.value, name: quote(key), at: entry.at }
}

function entryOf(node: Node, key: string): Entry | undefined {
  return node.kind === 'mapping' ? node.entries.get(key) : undefined
}
