import { rollbackHost } from '../apply.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import { readInputs, selectHosts, stoppedReport, theHost } from './inputs.ts'
import { say } from './output.ts'
import { writeReport } from './report-output.ts'
import type { Context } from './options.ts'
import { orUnknown } from './unknown.ts'
import { writeEffects } from './write-effects.ts'

/** `reconcile rollback`. */
export async function rollback(context: Context, own: { readonly to?: string }): Promise<ExitCode> {
  const { options } = context
  const inputs = await readInputs(options)
  const stopped = stoppedReport('rollback', inputs)
  if (stopped !== undefined) {
    await writeReport(stopped, options)
    say(
      'reconcile: the repository has errors at this commit: name a good one with --ref to roll back all the same',
    )
    return exitCode(stopped)
  }
  const run = selectHosts(inputs, options)
  const host = theHost(run)
  return await orUnknown(options, async () => {
    const done = await rollbackHost(run, host, writeEffects(context), {
      windowSeconds: options.confirmWindow,
      ...(own.to === undefined ? {} : { snapshot: own.to }),
    })
    const report = { ...done, problems: inputs.problems }
    await writeReport(report, options)
    return exitCode(report)
  })
}
