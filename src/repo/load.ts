import { fail } from './collect.ts'
import { readInventory } from './inventory.ts'
import { readPolicies } from './policies.ts'
import { type Problem, sortProblems } from './problem.ts'
import { harmless, hasHarmful } from './quote.ts'
import type { Repo } from './repo.ts'
import { compileSchemas } from './validate.ts'

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
  const reading = readInventory(readable, schemas, problems)
  const policies = readPolicies(readable, reading, schemas, problems)
  const { inventory, networks } = reading
  return { repo: { inventory, networks, ...policies }, problems: sortProblems(withoutEchoes(problems)) }
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
