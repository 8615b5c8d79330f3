import { readFile } from 'node:fs/promises'
import type { ExitCode } from './exit-code.ts'
import { writeOut } from './output.ts'
import type { Context } from './options.ts'

/** The published schemas, by what they describe. */
export const schemaNames = ['policies', 'inventory', 'report'] as const

/** `reconcile schema NAME`: prints the schema that this very version checks against. */
export async function schema({ options }: Context, name: (typeof schemaNames)[number]): Promise<ExitCode> {
  // Two levels up from both src/cli and dist/cli.
  const file = new URL(`../../schemas/${name}.schema.json`, import.meta.url)
  await writeOut(await readFile(file, 'utf8'), options)
  return 0
}
