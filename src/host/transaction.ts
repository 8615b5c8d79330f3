import { createHash } from 'node:crypto'
import { HostError, excerpt } from './error.ts'
import { type Probe, isProbeName } from './fingerprint.ts'
import { parseAnswer, scriptText } from './script.ts'
import type { Connection, RunResult } from './ssh.ts'
import { isTransactionId, isTransactionState } from './transaction-state.ts'

/** One run of one tool of the allow-list in prelude.sh. */
export interface ToolRun {
  /** Words of `[A-Za-z0-9_@%+=:,./-]`: on the host they are separated by blanks. */
  readonly argv: readonly string[]
  readonly stdin: string
  /** Its failure does not count. */
  readonly mayFail?: boolean
}

/** A change of a host with the way back, complete before it begins. */
export interface Transaction {
  readonly id: string
  /** Seconds until the host reverts by itself unless `confirm` comes first. */
  readonly windowSeconds: number
  /** The probes that make the fingerprint, as they were read, in that order. */
  readonly probes: readonly Probe[]
  /** Of the state that the steps and the undo were made for. The host must still have it. */
  readonly expected: string
  readonly steps: readonly ToolRun[]
  /** Idempotent; leads back from wherever the steps stopped. */
  readonly undo: readonly ToolRun[]
  /** State before, opaque JSON; kept when the transaction is confirmed or cannot be reverted. */
  readonly snapshot: string
  /** How often the whole undo is tried until the fingerprint is that of before. Default 5. */
  readonly revertAttempts?: number
}

export type BeginResult =
  /** All steps ran. Read back, then `confirm` over a new connection. */
  | { readonly kind: 'moved' }
  /** Nothing was done: another run is moving, or waits for its confirmation, or the host is not as it was read. */
  | { readonly kind: 'refused'; readonly why: 'locked' | 'pending' | 'changed' }
  /**
   * Steps before `index` (from 0) ran, this one failed, none after it. Still armed: `revertNow`. `code` 124: it was stopped after
   * 30 s, or the window ended first.
   */
  | { readonly kind: 'failed-step'; readonly index: number; readonly code: number; readonly stderr: string }

/** `unknown-id`: never begun on this host. */
export type ConfirmResult = 'confirmed' | 'reverted' | 'unknown-id'

/** `unknown-id`: never begun on this host, and it cannot begin any more. `revert-failed`: the fingerprint is not that of before. */
export type RevertResult = 'reverted' | 'revert-failed' | 'confirmed' | 'unknown-id'

/**
 * Locks, compares, arms the dead-man's switch and runs the steps. Throws `HostError`: of kind `tool` when no step ran; of kind `lost`
 * or `timeout` when it is unknown how many did: ask with `read` or `revertNow` over a new connection.
 */
export async function begin(connection: Connection, transaction: Transaction): Promise<BeginResult> {
  checkTransaction(transaction)
  const { id, windowSeconds, expected } = transaction
  const files = filesOf(transaction)
  const manifest = Buffer.from([...files].map(([name, content]) => `${name} ${content.length}\n`).join(''))
  const payload = Buffer.concat([manifest, ...files.values()])
  const header = [
    'gitwall-begin-1',
    id,
    windowSeconds,
    expected,
    manifest.length,
    payload.length,
    sha256(payload),
  ]
  try {
    const result = await connection.run({
      script: scriptText('transaction'),
      stdin: Buffer.concat([Buffer.from(`${header.join(' ')}\n`), payload]),
      timeoutMs: (windowSeconds + 120) * 1000,
      maxOutputBytes: answerBytes,
    })
    return parseBegin(connection.target.name, result)
  } catch (error) {
    // An answer that cannot be understood is no answer: steps may have run.
    if (!(error instanceof HostError) || error.kind !== 'output') throw error
    throw new HostError(
      'lost',
      connection.target.name,
      `no usable answer from the transaction: ${error.message}`,
      error,
    )
  }
}

/**
 * Makes it last: `record` becomes what `read` gives back. Call it over a connection made after `begin`. May be called again.
 * Throws `HostError`: `tool` also when it is neither confirmed nor back: steps are missing or running, the host is reverting,
 * or its revert failed. `revertNow` settles all of these.
 */
export async function confirm(connection: Connection, id: string, record: string): Promise<ConfirmResult> {
  checkId(id)
  const host = connection.target.name
  const content = Buffer.from(record)
  const header = Buffer.from(`gitwall-confirm-1 ${id} ${content.length} ${sha256(content)}\n`)
  const result = await connection.run({
    script: scriptText('confirm'),
    stdin: Buffer.concat([header, content]),
    timeoutMs: 180_000,
    maxOutputBytes: answerBytes,
  })
  const [word = ''] = answerOf(host, result).words
  if (word === 'confirmed' || word === 'reverted' || word === 'unknown-id') return word
  if (isTransactionState(word)) {
    throw new HostError('tool', host, `transaction "${id}" is ${word} and was not confirmed: take it back`)
  }
  throw unknownAnswer(host, word)
}

/** Undoes it now, or waits for the revert that is under way; says how it ended. May be called again, also after a failure. */
export async function revertNow(connection: Connection, id: string): Promise<RevertResult> {
  checkId(id)
  const host = connection.target.name
  const result = await connection.run({
    script: scriptText('revert'),
    stdin: `${id}\n`,
    timeoutMs: 600_000,
    maxOutputBytes: answerBytes,
  })
  const [word = ''] = answerOf(host, result).words
  const results = ['reverted', 'revert-failed', 'confirmed', 'unknown-id'] as const
  const found = results.find((known) => known === word)
  if (found === undefined) throw unknownAnswer(host, word)
  return found
}

/** No answer of ours is longer. */
const answerBytes = 1 << 20

/** What lies in the transaction's directory on the host, by name, in the order in which it is sent. */
function filesOf(transaction: Transaction): ReadonlyMap<string, Buffer> {
  const { steps, undo, probes } = transaction
  const texts: readonly (readonly [string, string])[] = [
    ['revert.sh', scriptText('revert')],
    ['attempts', `${transaction.revertAttempts ?? 5}\n`],
    ['snapshot', transaction.snapshot],
    ['probes', probes.map((probe) => `${probe.name}\n`).join('')],
    ...probes.map((probe) => [`probe-${probe.name}`, probe.script] as const),
    ['steps', steps.map(formatRun).join('')],
    ...steps.map((step, index) => [`step-${index + 1}`, step.stdin] as const),
    ['undo', undo.map(formatRun).join('')],
    ...undo.map((step, index) => [`undo-${index + 1}`, step.stdin] as const),
  ]
  return new Map(texts.map(([name, text]) => [name, Buffer.from(text)]))
}

function formatRun(run: ToolRun): string {
  return `${run.mayFail === true ? 'may' : 'must'} ${run.argv.join(' ')}\n`
}

/** Anything wrong here is a bug of ours: names were checked when they were loaded. */
function checkTransaction(transaction: Transaction): void {
  checkId(transaction.id)
  const { windowSeconds, expected, probes, steps, undo } = transaction
  if (!Number.isInteger(windowSeconds) || windowSeconds < 1 || windowSeconds > 3600) {
    throw new Error(`a window of ${windowSeconds} s is not between 1 and 3600`)
  }
  if (!/^[0-9a-f]{64}$/.test(expected)) throw new Error('the fingerprint is not a SHA-256')
  const badProbe = probes.find((probe) => !isProbeName(probe.name))
  if (badProbe !== undefined) throw new Error(`a probe cannot have the name "${badProbe.name}"`)
  for (const word of [...steps, ...undo].flatMap((run) => (run.argv.length === 0 ? [''] : run.argv))) {
    if (!/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) throw new Error(`"${word}" cannot be a word of a step`)
  }
}

function checkId(id: string): void {
  if (!isTransactionId(id)) throw new Error(`"${id}" cannot be the id of a transaction`)
}

function parseBegin(host: string, result: RunResult): BeginResult {
  const { words, rest } = answerOf(host, result)
  const [kind = '', first = '', second = ''] = words
  switch (kind) {
    case 'moved':
      return { kind }
    case 'refused':
      if (first === 'locked' || first === 'pending' || first === 'changed') return { kind, why: first }
      break
    case 'failed-step':
      if (/^[1-9]\d{0,5}$/.test(first) && /^\d{1,3}$/.test(second)) {
        return { kind, index: Number(first) - 1, code: Number(second), stderr: rest.toString('utf8') }
      }
      break
  }
  throw unknownAnswer(host, words.join(' '))
}

/**
 * `die` in prelude.sh has exit code 71, says why on stderr, and is used only where nothing was done. Any other end without an
 * answer, such as a signal from the host's administrator, leaves open what was done.
 */
function answerOf(
  host: string,
  result: RunResult,
): { readonly words: readonly string[]; readonly rest: Buffer } {
  const answer = parseAnswer(result.stdout)
  if (answer !== undefined && result.code === 0) return answer
  const said = excerpt(`${result.stdout.toString('utf8', 0, 200)} ${result.stderr}`)
  if (result.code === 71 && result.stdout.length === 0) {
    throw new HostError('tool', host, `${said}: correct it on the host and run again`)
  }
  throw new HostError(
    'lost',
    host,
    `the script ended without an answer (code ${result.code}, "${said}"): read the host again`,
  )
}

function unknownAnswer(host: string, said: string): HostError {
  return new HostError(
    'output',
    host,
    `"${excerpt(said)}" is not an answer of our script: check that its shell prints nothing at login`,
  )
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
