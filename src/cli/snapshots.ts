import type { HostModel } from '../model/model.ts'
import type { Snapshot } from '../host/snapshots.ts'
import { HostError } from '../host/error.ts'
import { plain, plainJson } from '../report/escape.ts'
import type { ExitCode } from './exit-code.ts'
import { sayFailure } from './failure.ts'
import { readInputs, selectHosts, theHost } from './inputs.ts'
import { writeOut } from './output.ts'
import { readEffects } from './read-effects.ts'
import type { Context } from './options.ts'

/** `reconcile snapshots`. */
export async function snapshots(context: Context): Promise<ExitCode> {
  const { options } = context
  const host = theHost(selectHosts(await readInputs(options), options))
  const entries = await readSnapshots(context, host)
  if (entries === undefined) return 4
  const json = plainJson({ version: 1, host: host.name, snapshots: entries })
  await writeOut(options.format === 'json' ? `${json}\n` : listText(host, entries), options)
  return 0
}

/** `undefined` when the host could not be read, which has been said then. */
async function readSnapshots(context: Context, host: HostModel): Promise<readonly Snapshot[] | undefined> {
  const effects = readEffects(context)
  try {
    const [entries] = await effects.eachHost([host], async () => {
      const reader = await effects.open(host)
      try {
        return await reader.snapshots()
      } finally {
        reader.close()
      }
    })
    return entries
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    sayFailure(error, context.options)
    return undefined
  }
}

function listText(host: HostModel, entries: readonly Snapshot[]): string {
  if (entries.length === 0) return `${plain(host.name)} keeps no snapshot: nothing was ever changed there\n`
  const width = Math.max(...entries.map(({ id }) => plain(id).length))
  const rows = entries.map(
    ({ id, takenAtSeconds, bytes }) =>
      `${plain(id).padEnd(width)}  ${timeOf(takenAtSeconds)}  ${bytes} bytes`,
  )
  return `${rows.join('\n')}\n`
}

/** In UTC. A host may say anything: up to the year 9999 it is a date. */
function timeOf(seconds: number): string {
  return seconds < 253_402_300_800
    ? new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')
    : `${seconds}`
}
