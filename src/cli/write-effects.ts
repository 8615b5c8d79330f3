import { randomBytes } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HostWriter, WriteEffects } from '../effects.ts'
import type { Connection } from '../host/ssh.ts'
import { begin, confirm, revertNow } from '../host/transaction.ts'
import type { Context } from './options.ts'
import { effectsOf, hostReader } from './read-effects.ts'

/** The world for commands that write to hosts. */
export function writeEffects(context: Context): WriteEffects {
  return {
    ...effectsOf(context, (connection) => hostWriter(connection, context)),
    now: () => new Date().toISOString(),
    sleep: async (milliseconds) => {
      await sleep(milliseconds)
    },
    newId,
    by: whoRuns(process.env),
  }
}

function hostWriter(connection: Connection, context: Context): HostWriter {
  return {
    ...hostReader(connection, context),
    begin: (transaction) => begin(connection, transaction),
    confirm: (id, record) => confirm(connection, id, record),
    revertNow: (id) => revertNow(connection, id),
  }
}

/** Ascends with the clock: `20260131T235959Z-1f2e3d4c`. */
function newId(): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  return `${time}-${randomBytes(4).toString('hex')}`
}

/** `user@machine`; in GitHub Actions the address of the run. See "Default environment variables" in its documentation. */
function whoRuns(environment: NodeJS.ProcessEnv): string {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID } = environment
  if (GITHUB_SERVER_URL !== undefined && GITHUB_REPOSITORY !== undefined && GITHUB_RUN_ID !== undefined) {
    return `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}`
  }
  return `${userInfo().username}@${hostname()}`
}
