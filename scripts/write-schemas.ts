/** Writes the JSON Schemas that `scripts/schema-source.ts` describes: for editors as JSON, for the product as a module. */
import { writeFileSync } from 'node:fs'
import { inventorySchema, policiesSchema, variablesSchema } from './schema-source.ts'
import { schemaFiles } from './schema-files.ts'

for (const [path, text] of schemaFiles({
  policies: policiesSchema,
  inventory: inventorySchema,
  variables: variablesSchema,
}))
  writeFileSync(new URL(`../${path}`, import.meta.url), text)
