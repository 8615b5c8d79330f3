import type { Coverage } from '../../meaning/coverage.ts'
import { type Problem, sortProblems } from '../../repo/problem.ts'
import { plainJson } from '../escape.ts'

/** The answer of `validate` as JSON by `schemas/report.schema.json`, with a final newline. */
export function formatProblemsJson(validation: {
  /** Full hash, or `worktree`. */
  readonly commit: string
  readonly problems: readonly Problem[]
  readonly coverage?: Coverage
}): string {
  const { commit, problems, coverage } = validation
  const answer = { version: 1, command: 'validate', commit, problems: sortProblems(problems) }
  return `${plainJson(coverage === undefined ? answer : { ...answer, coverage: coverageObject(coverage) })}\n`
}

function coverageObject({ rules, exercised, missing }: Coverage): object {
  return { rules, exercised, missing: missing.map(({ id, origin }) => ({ id, ...origin })) }
}
