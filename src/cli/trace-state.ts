import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseCapture } from '../meaning/capture-files.ts'
import { packetSyntax, parsePacket } from '../meaning/packet-text.ts'
import { plain, plainJson } from '../report/escape.ts'
import { type StateTrace, traceState } from '../trace.ts'
import type { ExitCode } from './exit-code.ts'
import { writeOut } from './output.ts'
import { type Context, UsageError } from './options.ts'

/** `reconcile trace --state DIR --packet '…'`: one packet through one host's captured state, ours or not; no repository is read. */
export async function traceStateFiles(
  { options }: Context,
  own: { readonly state: string; readonly packet: string },
): Promise<ExitCode> {
  const capture = parseCapture(await readFiles(own.state))
  if (typeof capture === 'string') throw new UsageError(`--state: ${capture}`)
  const packet = parsePacket(own.packet)
  if (typeof packet === 'string') throw new UsageError(`--packet: ${packet}: write ${packetSyntax}`)
  const result = traceState(capture, packet)
  await writeOut(
    options.format === 'json' ? `${plainJson({ version: 1, ...result })}\n` : format(result),
    options,
  )
  return 0
}

function format({ verdict, why, way, deciding }: StateTrace): string {
  const lines = [
    ...way.map(({ where, line }) => `  ${where}: ${line.trim()}`),
    `${verdict}${why === undefined ? '' : `: ${why}`}`,
    ...(deciding === undefined ? [] : [`  decided by ${deciding.where}: ${deciding.line.trim()}`]),
  ]
  return `${lines.map(plain).join('\n')}\n`
}

async function readFiles(directory: string): Promise<ReadonlyMap<string, string>> {
  try {
    const names = (await readdir(directory)).filter((name) => /\.(txt|json)$/.test(name)).slice(0, 1000)
    return new Map(
      await Promise.all(
        names.map(async (name) => [name, await readFile(join(directory, name), 'utf8')] as const),
      ),
    )
  } catch (cause) {
    throw new UsageError(`--state: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
