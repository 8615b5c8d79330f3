import { readFileSync } from 'node:fs'

/** The scripts that run on a host, beside this module. */
export type ScriptName = 'read' | 'transaction' | 'confirm' | 'revert' | 'snapshots'

/** Text of a script, with the prelude that all of them need in front. Constant: no data is ever put into it (invariant 10). */
export function scriptText(name: ScriptName): string {
  const known = textByName.get(name)
  if (known !== undefined) return known
  const text = `${fileText('prelude')}\n${fileText(name)}`
  textByName.set(name, text)
  return text
}

/** `text` as one word of a POSIX shell. Only ever used on constants. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/**
 * Separates `gitwall-answer WORD…\n` from the text that follows it.
 * `undefined` when a script ended without an answer, which it does only where its caller can say what that means.
 */
export function parseAnswer(
  stdout: Buffer,
): { readonly words: readonly string[]; readonly rest: Buffer } | undefined {
  const end = stdout.indexOf('\n')
  const line = end < 0 || end > 200 ? '' : stdout.toString('latin1', 0, end)
  if (!line.startsWith('gitwall-answer ')) return undefined
  return { words: line.split(' ').slice(1), rest: stdout.subarray(end + 1) }
}

const textByName = new Map<ScriptName, string>()

function fileText(name: string): string {
  return readFileSync(new URL(`./${name}.sh`, import.meta.url), 'utf8')
}
