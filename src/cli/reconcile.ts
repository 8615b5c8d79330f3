import { applyFleet } from '../apply.ts'
import type { Report } from '../plan/outcome.ts'
import { planFleet } from '../reconcile.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import { readInputs, selectHosts, stoppedReport } from './inputs.ts'
import { say } from './output.ts'
import { reportText, writeReport } from './report-output.ts'
import { type Context, type Options, UsageError } from './options.ts'
import { canAsk, confirmed } from './question.ts'
import { orUnknown } from './unknown.ts'
import { writeEffects } from './write-effects.ts'

/** Plain `reconcile`: plan, show it, ask, apply. */
export async function reconcile(context: Context): Promise<ExitCode> {
  const { options } = context
  if (!options.yes && !canAsk()) {
    throw new UsageError(
      'there is no terminal to ask on: add --yes to apply without a question, or run "reconcile plan"',
    )
  }
  const inputs = await readInputs(options)
  const stopped = stoppedReport('plan', inputs)
  if (stopped !== undefined) return await end(stopped, options)

  const run = selectHosts(inputs, options)
  const effects = writeEffects(context)
  const planned = { ...(await planFleet(run, effects)), problems: inputs.problems }
  if (!isWorthApplying(planned)) return await end(planned, options)
  if (!(await isWanted(planned, context))) {
    say('reconcile: not applied: nothing was written')
    return 1
  }
  return await orUnknown(options, async () => {
    const done = await applyFleet(run, effects, {
      windowSeconds: options.confirmWindow,
      approved: planned,
    })
    return await end({ ...done, problems: inputs.problems }, options)
  })
}

function isWorthApplying({ outcomes }: Report): boolean {
  const has = (status: string) => outcomes.some((outcome) => outcome.status === status)
  return has('planned') && !has('refused') && !has('unprotected')
}

/** The plan goes to stderr here: stdout gets one report, of what was done. */
async function isWanted(planned: Report, { options, signal }: Context): Promise<boolean> {
  if (!options.quiet || !options.yes) process.stderr.write(reportText(planned, options, process.stderr))
  if (signal.aborted) return false
  if (options.yes) return true
  const count = planned.outcomes.filter((outcome) => outcome.status === 'planned').length
  return await confirmed(`Apply these changes to ${count === 1 ? '1 host' : `${count} hosts`}?`, signal)
}

async function end(report: Report, options: Options): Promise<ExitCode> {
  await writeReport(report, options)
  return exitCode(report)
}
