import { fail } from './collect.ts'
import { type InventoryReading, readInventory } from './inventory.ts'
import { readPolicies } from './policies.ts'
import { type Problem, sortProblems } from './problem.ts'
import { harmless, hasHarmful } from './quote.ts'
import type { Repo } from './repo.ts'
import { type Schemas, compileSchemas } from './validate.ts'

/**
 * Reads a user's repository: everything under `inventory/` and `policies/`, as path from its root (with `/`) → text.
 * All mistakes are collected; `repo` then holds whatever could be read. Only a repository without errors may be applied.
 */
export function loadRepo(files: ReadonlyMap<string, string>): {
  readonly repo: Repo
  readonly problems: readonly Problem[]
} {
  const problems: Problem[] = []
  const readable = withoutHarmfulNames(files, problems)
  const schemas = compileSchemas()
  const reading = readInventoryOnce(readable, schemas, problems)
  const policies = readPolicies(readable, reading, schemas, problems)
  const { inventory, networks } = reading
  return { repo: { inventory, networks, ...policies }, problems: sortProblems(withoutEchoes(problems)) }
}

interface LastInventory {
  readonly files: ReadonlyMap<string, string>
  readonly reading: InventoryReading
  readonly problems: readonly Problem[]
}

/** Two commits that are compared mostly have the same inventory, which is the larger part of a repository. */
let lastInventory: LastInventory | undefined

function readInventoryOnce(
  files: ReadonlyMap<string, string>,
  schemas: Schemas,
  problems: Problem[],
): InventoryReading {
  const inventory = new Map([...files].filter(([path]) => path.startsWith('inventory/')))
  const isSame =
    lastInventory?.files.size === inventory.size &&
    [...inventory].every(([path, text]) => lastInventory?.files.get(path) === text)
  if (lastInventory === undefined || !isSame) {
    const own: Problem[] = []
    lastInventory = { files: inventory, reading: readInventory(inventory, schemas, own), problems: own }
  }
  problems.push(...lastInventory.problems)
  return lastInventory.reading
}

/** A file's name stands in every message about it. */
function withoutHarmfulNames(
  files: ReadonlyMap<string, string>,
  problems: Problem[],
): ReadonlyMap<string, string> {
  const readable = new Map<string, string>()
  for (const [path, text] of files) {
    if (!hasHarmful(path) && !/[\n\t]/.test(path) && path.length <= 255) readable.set(path, text)
    else {
      const at = { file: harmless(path, 80), line: 1, column: 1 }
      fail(
        problems,
        'bad-file-name',
        at,
        'the name of the file is too long or has control characters: rename it',
      )
    }
  }
  return readable
}

/** Mistakes that explain whatever else is wrong at their place. */
const explaining: ReadonlySet<string> = new Set(['template', 'vault', 'quote-it'])

/** Drops warnings at the place of an error, and errors that another one explains. */
function withoutEchoes(problems: readonly Problem[]): readonly Problem[] {
  const key = ({ at }: Problem): string => `${at.line}:${at.column}:${at.file}`
  const errors = problems.filter((problem) => problem.severity === 'error')
  const wrong = new Set(errors.map(key))
  const explained = new Set(errors.filter((problem) => explaining.has(problem.code)).map(key))
  return problems.filter((problem) =>
    problem.severity === 'error'
      ? explaining.has(problem.code) || !explained.has(key(problem))
      : !wrong.has(key(problem)),
  )
}
