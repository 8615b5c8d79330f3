import { compare } from '../compare.ts'
import { hasErrors } from '../compile.ts'
import { namesOf } from '../meaning/names.ts'
import { formatMeaningJson } from '../report/json/meaning.ts'
import type { MeaningReport } from '../report/meaning.ts'
import { formatMeaning } from '../report/text/meaning.ts'
import { formatProblems } from '../report/text/problems.ts'
import { type ExitCode, forgiveDifferences } from './exit-code.ts'
import { type Inputs, readInputs } from './inputs.ts'
import { outPainter, say, writeOut } from './output.ts'
import type { Context, Options } from './options.ts'

/** `reconcile diff BASE [HEAD]`: two commits compared without asking a host. Without HEAD: `--ref`, or with `--worktree` the files on disk. */
export async function diff(
  { options }: Context,
  own: { readonly base: string; readonly head?: string; readonly exitZero?: boolean },
): Promise<ExitCode> {
  const before = await readInputs({ ...options, ref: own.base, worktree: false })
  const after = await readInputs(
    own.head === undefined ? options : { ...options, ref: own.head, worktree: false },
  )
  const isBroken = [before, after].map((inputs) => sayErrors(inputs, options)).includes(true)
  if (isBroken) return 1
  const report: MeaningReport = {
    ...compare(before.compiled, after.compiled),
    base: before.commit,
    commit: after.commit,
    names: namesOf(after.compiled.repo),
    rules: new Map([...before.compiled.model.rules, ...after.compiled.model.rules]),
  }
  const style = {
    paint: outPainter(options),
    detail: options.verbose ? ('full' as const) : ('brief' as const),
  }
  await writeOut(
    options.format === 'json' ? formatMeaningJson(report) : formatMeaning(report, style),
    options,
  )
  const code = report.changes.length === 0 ? 0 : 2
  return own.exitZero === true ? forgiveDifferences(code) : code
}

/** A commit with errors means nothing: nothing is compared then. */
function sayErrors({ commit, problems }: Inputs, options: Options): boolean {
  if (!hasErrors(problems)) return false
  const errors = problems.filter((problem) => problem.severity === 'error')
  say(`reconcile: ${commit.slice(0, 12)} has errors, so there is nothing to compare:`)
  for (const line of formatProblems(errors, outPainter({ ...options, color: false }))) say(line)
  return true
}
