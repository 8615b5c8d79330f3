/** Path from the root of the repository → text of each file that is generated from the schemas, by name of the schema. */
export function schemaFiles(schemas: Readonly<Record<string, object>>): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  const module = ['// Written by `npm run schemas` from scripts/schema-source.ts. Do not edit.']
  for (const [name, schema] of Object.entries(schemas)) {
    const json = JSON.stringify(schema, undefined, 2)
    files.set(`schemas/${name}.schema.json`, `${json}\n`)
    module.push(
      `export const ${name}Schema: object = JSON.parse(\`${json.replaceAll(/\\|`|\$\{/g, '\\$&')}\`)`,
    )
  }
  files.set('src/repo/schemas.generated.ts', `${module.join('\n\n')}\n`)
  return files
}
