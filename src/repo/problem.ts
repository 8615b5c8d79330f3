/** A place in a file of the user's repository. Lines and columns count from 1. `file` is relative to its root, with `/`. */
export interface Source {
  readonly file: string
  readonly line: number
  readonly column: number
}

/**
 * A user's mistake. Collected, never thrown: the user sees all of them at once.
 * `message` is `what: what to do`, values in quotes; `code` is stable kebab-case for tools. A warning does not stop a run.
 */
export interface Problem {
  readonly code: string
  readonly severity: 'error' | 'warning'
  readonly at: Source
  readonly message: string
}

/** `policies/web.yaml:12:7`. */
export function formatSource(source: Source): string {
  return `${source.file}:${source.line}:${source.column}`
}

/** Problems by file, line and column, each once. */
export function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  const byPlace = new Map(
    problems.map((problem) => [`${formatSource(problem.at)} ${problem.code} ${problem.message}`, problem]),
  )
  return [...byPlace.values()].sort(
    (a, b) =>
      Number(a.at.file > b.at.file) - Number(a.at.file < b.at.file) ||
      a.at.line - b.at.line ||
      a.at.column - b.at.column,
  )
}
