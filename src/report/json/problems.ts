import { type Problem, sortProblems } from '../../repo/problem.ts'
import { plainJson } from '../escape.ts'

/** The answer of `validate` as JSON by `schemas/report.schema.json`, with a final newline. */
export function formatProblemsJson(validation: {
  /** Full hash, or `worktree`. */
  readonly commit: string
  readonly problems: readonly Problem[]
}): string {
  const { commit, problems } = validation
  return `${plainJson({ version: 1, command: 'validate', commit, problems: sortProblems(problems) })}\n`
}
