import { applyFleet } from '../apply.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import { readInputs, selectHosts, stoppedReport } from './inputs.ts'
import { writeReport } from './report-output.ts'
import type { Context } from './options.ts'
import { orUnknown } from './unknown.ts'
import { writeEffects } from './write-effects.ts'

/** `reconcile apply`. */
export async function apply(context: Context): Promise<ExitCode> {
  const { options } = context
  const inputs = await readInputs(options)
  const stopped = stoppedReport('apply', inputs)
  if (stopped !== undefined) {
    await writeReport(stopped, options)
    return exitCode(stopped)
  }
  const run = selectHosts(inputs, options)
  return await orUnknown(options, async () => {
    const done = await applyFleet(run, writeEffects(context), { windowSeconds: options.confirmWindow })
    const report = { ...done, problems: inputs.problems }
    await writeReport(report, options)
    return exitCode(report)
  })
}
