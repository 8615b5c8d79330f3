import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatCapture } from '../meaning/capture-files.ts'
import { captureHost } from '../trace.ts'
import type { ExitCode } from './exit-code.ts'
import { readInputs, selectHosts, theHost } from './inputs.ts'
import { say } from './output.ts'
import { readEffects } from './read-effects.ts'
import { type Context, UsageError } from './options.ts'

/** `reconcile capture --host H --out DIR`: the host's raw state as plain files, for `trace --state`. */
export async function capture(context: Context, own: { readonly out: string }): Promise<ExitCode> {
  const { options } = context
  const host = theHost(selectHosts(await readInputs(options), options))
  const files = formatCapture(await captureHost(host, readEffects(context)))
  try {
    await mkdir(own.out, { recursive: true })
    for (const [name, text] of files) {
      // A bridge's name comes from the host.
      if (/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name)) await writeFile(join(own.out, name), text)
    }
  } catch (cause) {
    throw new UsageError(`--out: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  say(
    `${files.size} files of ${host.name} are in ${own.out}: "reconcile trace --state ${own.out} --packet …" reads them`,
  )
  return 0
}
