import { type ExitCode } from './exit-code.ts'
import { sayFailure } from './failure.ts'
import { say } from './output.ts'
import type { Options } from './options.ts'

/**
 * Runs what writes to hosts. Should it fail by a bug of ours, then nobody knows what was written: exit code 6, never 1, which
 * promises that nothing was.
 */
export async function orUnknown(options: Options, work: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await work()
  } catch (error) {
    sayFailure(error, options)
    say(
      `reconcile: hosts may have been changed. Those that were not confirmed go back by themselves within ` +
        `${options.confirmWindow} seconds: run "reconcile plan" after that`,
    )
    return 6
  }
}
