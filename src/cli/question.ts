import { createInterface } from 'node:readline'

/** Can a person be asked? Both ends must be a terminal. */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY
}

/** Asks on stderr; only `y` and `yes` are yes. The end of input and an abort are no. */
export async function confirmed(question: string, signal: AbortSignal): Promise<boolean> {
  // Without `terminal: false` readline swallows Ctrl-C, and the question never ends.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false })
  try {
    return await new Promise<boolean>((answer) => {
      lines.once('close', () => answer(false))
      signal.addEventListener('abort', () => answer(false), { once: true })
      lines.question(`${question} [y/N] `, (line) => answer(/^y(es)?$/i.test(line.trim())))
    })
  } finally {
    lines.close()
  }
}
