import { type TestRun, runPolicyTests } from './meaning/policy-tests.ts'
import { addressBook } from './model/addresses.ts'
import type { Model } from './model/model.ts'
import { resolve } from './model/resolve.ts'
import { loadRepo } from './repo/load.ts'
import { matchPattern, parsePattern } from './repo/pattern.ts'
import { type Problem, sortProblems } from './repo/problem.ts'
import type { Repo } from './repo/repo.ts'

/** A repository read, resolved and tested. */
export interface Compiled {
  readonly repo: Repo
  /** Complete only when no problem is an error. */
  readonly model: Model
  /** Everything wrong with it, by place. */
  readonly problems: readonly Problem[]
  /** Rules that a policy test exercised; none when there are errors, since no test ran then. */
  readonly exercised: TestRun['exercised']
}

/**
 * From files to the model of the whole fleet; always the whole, since selecting hosts narrows reading and writing, never
 * compiling. Policy tests run only on a repository without errors.
 */
export function compile(files: ReadonlyMap<string, string>): Compiled {
  const { repo, problems } = loadRepo(files)
  const resolved = resolve(repo, (pattern) => hostsOf(pattern, repo))
  const broken = [...problems, ...resolved.problems]
  const tests: TestRun = hasErrors(broken)
    ? { problems: [], exercised: new Set() }
    : runPolicyTests(resolved.model, repo.tests, addressBook(repo).prefixesOf)
  return {
    repo,
    model: resolved.model,
    problems: sortProblems([...broken, ...tests.problems]),
    exercised: tests.exercised,
  }
}

/** What is wrong with a pattern in `protects:`, the loader has said. */
function hostsOf(text: string, repo: Repo): readonly string[] {
  const reading = parsePattern(text)
  return reading.kind === 'pattern' ? matchPattern(reading.pattern, repo.inventory).hosts : []
}

/** Does anything in the list stop a run? */
export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === 'error')
}
