import { planFleet } from '../reconcile.ts'
import { type ExitCode, exitCode, forgiveDifferences } from './exit-code.ts'
import { readInputs, selectHosts, stoppedReport } from './inputs.ts'
import { writeReport } from './report-output.ts'
import { readEffects } from './read-effects.ts'
import type { Context } from './options.ts'

/** `reconcile plan`. */
export async function plan(context: Context, own: { readonly exitZero?: boolean }): Promise<ExitCode> {
  const { options } = context
  const inputs = await readInputs(options)
  const stopped = stoppedReport('plan', inputs)
  const report = stopped ?? {
    ...(await planFleet(selectHosts(inputs, options), readEffects(context))),
    problems: inputs.problems,
  }
  await writeReport(report, options)
  return own.exitZero === true ? forgiveDifferences(exitCode(report)) : exitCode(report)
}
