import { GitError } from '../git/limits.ts'
import { HostError } from '../host/error.ts'
import { say } from './output.ts'
import { type Options, UsageError } from './options.ts'

/** Says on stderr why the command ends here. A bug of ours is called one, and shows its stack. */
export function sayFailure(error: unknown, options: Pick<Options, 'verbose'>): void {
  if (error instanceof UsageError || error instanceof GitError || error instanceof HostError) {
    say(`reconcile: ${error.message}`)
    if (options.verbose && error.cause instanceof Error) say(`  cause: ${error.cause.message}`)
    return
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  say(`reconcile: internal error: please report this, with what you ran:\n${text}`)
}
