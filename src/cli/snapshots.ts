import type { HostModel } from '../model/model.ts'
import type { SnapshotEntry } from '../effects.ts'
import { isWorldError } from '../reconcile.ts'
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
async function readSnapshots(
  context: Context,
  host: HostModel,
): Promise<readonly SnapshotEntry[] | undefined> {
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
    if (!isWorldError(error)) throw error
    sayFailure(error, context.options)
    return undefined
  }
}

function listText(host: HostModel, entries: readonly SnapshotEntry[]): string {
  if (entries.length === 0) return `${plain(host.name)} keeps no snapshot: nothing was ever changed there\n`
  const width = Math.max(...entries.map(({ id }) => plain(id).length))
  const rows = entries.map(({ id, bytes }) => `${plain(id).padEnd(width)}  ${bytes} bytes`)
  return `${rows.join('\n')}\n`
}
