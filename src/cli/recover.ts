import { recoverHost } from '../apply.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import { readInputs, selectHosts, theHost } from './inputs.ts'
import { writeReport } from './report-output.ts'
import type { Context } from './options.ts'
import { orUnknown } from './unknown.ts'
import { writeEffects } from './write-effects.ts'

/** `reconcile recover`. Needs nothing of the policies, so that an error in them does not stop it. */
export async function recover(context: Context): Promise<ExitCode> {
  const { options } = context
  const run = selectHosts(await readInputs(options), options)
  const host = theHost(run)
  return await orUnknown(options, async () => {
    const report = await recoverHost(run, host, writeEffects(context))
    await writeReport(report, options)
    return exitCode(report)
  })
}
