import { writeFile } from 'node:fs/promises'
import { plain } from '../report/escape.ts'
import { painter } from '../report/text/paint.ts'
import type { ProgressStyle } from '../ui/screen.ts'
import { type Options, UsageError } from './options.ts'

/** Writes the result of the command: the only thing on stdout. Resolves when it is out. */
export async function writeOut(text: string, options: Options): Promise<void> {
  if (options.output === undefined) return await written(process.stdout, text)
  await writeFile(options.output, text).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new UsageError(`--output: ${reason}`, { cause })
  })
}

/** One remark to the person at stderr; `text` is made harmless. Errors are said even with `--quiet`. */
export function say(text: string): void {
  process.stderr.write(`${text.split('\n').map(plain).join('\n')}\n`)
}

/** Progress on stderr: drawn on a terminal, one line per host in a log. */
export function progressStyle(options: Options): ProgressStyle {
  const isTerminal = process.stderr.isTTY && process.env['TERM'] !== 'dumb' && process.env['CI'] === undefined
  return {
    mode: options.quiet ? 'none' : isTerminal ? 'live' : 'lines',
    stream: process.stderr,
    color: hasColor(options, process.stderr),
  }
}

/** See https://no-color.org: any value but the empty one counts. */
export function hasColor(options: Options, stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, TERM } = process.env
  const isFile = stream === process.stdout && options.output !== undefined
  return options.color && (NO_COLOR ?? '') === '' && TERM !== 'dumb' && stream.isTTY && !isFile
}

/** Colours for stdout. */
export function outPainter(options: Options): ReturnType<typeof painter> {
  return painter(hasColor(options, process.stdout))
}

async function written(stream: NodeJS.WriteStream, text: string): Promise<void> {
  // A reader that has gone away (`| head`) is no reason to stop: a host may be in the middle of a change.
  await new Promise<void>((done) => {
    stream.write(text, () => done())
  })
}
