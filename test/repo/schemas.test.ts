import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { schemaFiles } from '../../scripts/schema-files.ts'
import { inventorySchema, policiesSchema, variablesSchema } from '../../scripts/schema-source.ts'

type Json = Readonly<Record<string, unknown>>

const schemas = { policies: policiesSchema, inventory: inventorySchema, variables: variablesSchema }

const generated = schemaFiles(schemas)

test.each([...generated])('%s is what schema.ts says: run "npm run schemas" otherwise', (path, text) => {
  expect(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(text)
})

describe.each(Object.entries(schemas))('the schema of %s', (_name, schema) => {
  const json = JSON.parse(JSON.stringify(schema)) as Json

  test('is valid by draft 7', () => {
    const ajv = new Ajv({ strict: false })
    expect(ajv.validateSchema(json)).toBe(true)
  })

  test('describes every property', () => {
    const silent = properties(json).filter(
      ([, property]) => property['description'] === undefined && property['$ref'] === undefined,
    )
    expect(silent.map(([name]) => name)).toEqual([])
    expect(properties(json).length).toBeGreaterThan(10)
  })

  test('closes every mapping but that of variables, and speaks no newer draft', () => {
    const open = schemasIn(json).filter(
      (one) => one['properties'] !== undefined && one['additionalProperties'] !== false,
    )
    expect(open.every((one) => Object.hasOwn(one['properties'] as object, 'ansible_host'))).toBe(true)
    expect(JSON.stringify(json)).not.toMatch(/unevaluated|\$defs|\$dynamic|prefixItems|"anyOf"/)
  })
})

function properties(schema: Json): readonly (readonly [string, Json])[] {
  return schemasIn(schema).flatMap((one) => Object.entries((one['properties'] ?? {}) as Record<string, Json>))
}

/** Every object inside, itself included. */
function schemasIn(value: unknown): readonly Json[] {
  if (Array.isArray(value)) return value.flatMap(schemasIn)
  if (typeof value !== 'object' || value === null) return []
  return [value as Json, ...Object.values(value).flatMap(schemasIn)]
}
