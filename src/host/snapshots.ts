import { HostError, excerpt } from './error.ts'
import { parseAnswer, scriptText } from './script.ts'
import type { Connection } from './ssh.ts'
import { isTransactionId } from './transaction-state.ts'

/** A state of a host that was kept there before a change. */
export interface Snapshot {
  /** Of the transaction before which it was taken. */
  readonly id: string
  /** When it was taken, by the host's clock: seconds since 1970. */
  readonly takenAtSeconds: number
  readonly bytes: number
}

/** The newest first. Throws `HostError`. */
export async function listSnapshots(connection: Connection): Promise<readonly Snapshot[]> {
  const { words, rest } = await ask(connection, 'list\n')
  if (words[0] !== 'snapshots') throw malformed(connection, words.join(' '))
  return rest
    .toString('latin1')
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const match = /^(\S+) (\d{1,12}) (\d{1,12})$/.exec(line)
      const id = match?.[1]
      if (id === undefined || !isTransactionId(id)) throw malformed(connection, line)
      return { id, takenAtSeconds: Number(match?.[2]), bytes: Number(match?.[3]) }
    })
}

/** The text that was given to `begin`; `undefined` when the host has none of that id. Throws `HostError`. */
export async function readSnapshot(connection: Connection, id: string): Promise<string | undefined> {
  if (!isTransactionId(id)) return undefined
  const { words, rest } = await ask(connection, `read ${id}\n`)
  if (words[0] === 'unknown-id') return undefined
  if (words[0] !== 'snapshot' || words[1] !== String(rest.length))
    throw malformed(connection, words.join(' '))
  return rest.toString('utf8')
}

async function ask(
  connection: Connection,
  stdin: string,
): Promise<{ readonly words: readonly string[]; readonly rest: Buffer }> {
  const result = await connection.run({ script: scriptText('snapshots'), stdin, timeoutMs: 60_000 })
  if (result.code !== 0) {
    throw new HostError(
      'tool',
      connection.target.name,
      `the snapshots cannot be read: ${excerpt(result.stderr)}`,
    )
  }
  const answer = parseAnswer(result.stdout)
  if (answer === undefined) throw malformed(connection, result.stdout.toString('utf8', 0, 200))
  return answer
}

function malformed(connection: Connection, said: string): HostError {
  return new HostError(
    'output',
    connection.target.name,
    `"${excerpt(said)}" is not an answer of our script: check that its shell prints nothing at login`,
  )
}
