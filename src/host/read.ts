import { HostError, excerpt } from './error.ts'
import { type Probe, type ProbeOutput, fingerprintOf, isProbeName } from './fingerprint.ts'
import { scriptText, shellQuote } from './script.ts'
import { type Connection, maxOutputBytes } from './ssh.ts'
import { type TransactionState, isTransactionId, isTransactionState } from './transaction-state.ts'

/** Everything that is read of a host, in one round trip. All of it is untrusted text. */
export interface HostReading {
  /** By the name of the probe. A code other than 0 means that the text must not be believed; stderr is at most 64 KiB. */
  readonly outputs: ReadonlyMap<
    string,
    { readonly stdout: string; readonly stderr: string; readonly code: number }
  >
  /** Of every probe but `facts`. Changes if and only if what they print changes; see `fingerprintOf`. */
  readonly fingerprint: string
  /** What was written at the last confirmation, as it was given to `confirm`. Absent: nothing was confirmed yet. */
  readonly confirmed?: string
  /** Ids of transactions that are armed or reverting. */
  readonly pending: readonly string[]
  /** All that the host still knows of, the newest first; of finished ones only the last few. */
  readonly transactions: readonly { readonly id: string; readonly state: TransactionState }[]
}

/** Limits of one reading; the defaults are 120 s and 256 MiB. */
export interface ReadLimits {
  readonly timeoutMs?: number
  readonly maxOutputBytes?: number
}

/**
 * Reads a host; writes nothing there. The probe named `facts`, if there is one, is no part of the fingerprint: numbers of ports and
 * new interfaces are none of our objects. Throws `HostError`, `output` for anything that is not exactly the script's format.
 */
export async function read(
  connection: Connection,
  probes: readonly Probe[],
  limits: ReadLimits = {},
): Promise<HostReading> {
  const host = connection.target.name
  const result = await connection.run({
    script: readScript(probes),
    timeoutMs: limits.timeoutMs ?? 120_000,
    maxOutputBytes: limits.maxOutputBytes ?? maxOutputBytes,
  })
  if (result.code !== 0) {
    throw new HostError(
      'tool',
      host,
      `the state cannot be read (${excerpt(result.stderr)}): install what is missing`,
    )
  }
  const sections = parseSections(result.stdout, [
    'record',
    'transactions',
    ...probes.map((probe) => probe.name),
  ])
  if (typeof sections === 'string') {
    throw new HostError(
      'output',
      host,
      `its answer is malformed: ${sections}: check that its shell prints nothing at login`,
    )
  }
  const confirmed = ownSection(host, sections, 'record')
  const transactions = parseTransactions(host, ownSection(host, sections, 'transactions'))
  return {
    outputs: new Map(probes.map(({ name }) => [name, decode(sections.get(name) as Section)])),
    fingerprint: fingerprintOf(
      probes.filter((probe) => probe.name !== 'facts'),
      sections,
    ),
    ...(confirmed === '' ? {} : { confirmed }),
    pending: transactions
      .filter(({ state }) => state === 'armed' || state === 'reverting')
      .map(({ id }) => id),
    transactions,
  }
}

/** What one section of the reading script printed. */
export interface Section extends ProbeOutput {
  readonly stderr: string
}

function decode(section: Section): {
  readonly stdout: string
  readonly stderr: string
  readonly code: number
} {
  return { ...section, stdout: section.stdout.toString('utf8') }
}

function readScript(probes: readonly Probe[]): string {
  const names = probes.map((probe) => probe.name)
  const bad = names.find(
    (name, index) => !isProbeName(name) || names.indexOf(name) !== index || ownNames.has(name),
  )
  if (bad !== undefined) throw new Error(`a probe cannot have the name "${bad}"`)
  const calls = probes.map(({ name, script }) => `section ${name} probe -c ${shellQuote(script)}`)
  return [scriptText('read'), ...calls, 'end', ''].join('\n')
}

const ownNames: ReadonlySet<string> = new Set(['record', 'transactions'])

/**
 * Takes the framed output of read.sh apart: exactly the sections `names`, in that order, and nothing before, between or after.
 * Gives back what is wrong as text.
 */
export function parseSections(
  output: Buffer,
  names: readonly string[],
): ReadonlyMap<string, Section> | string {
  const sections = new Map<string, Section>()
  let at = 0
  for (const name of names) {
    const line = lineAt(output, at)
    const match = /^gitwall-section ([a-z0-9-]+) (\d{1,3}) (\d{1,10}) (\d{1,5})$/.exec(line ?? '')
    if (line === undefined || match === null || match[1] !== name)
      return `"${excerpt(line ?? '')}" instead of section "${name}"`
    const start = at + line.length + 1
    const middle = start + Number(match[3])
    const end = middle + Number(match[4])
    if (end > output.length) return `section "${name}" is cut off`
    sections.set(name, {
      code: Number(match[2]),
      stdout: output.subarray(start, middle),
      stderr: output.toString('utf8', middle, end),
    })
    at = end
  }
  const last = `gitwall-end ${names.length}\n`
  return output.toString('latin1', at) === last ? sections : 'it does not end where it should'
}

/** The line that begins there, without its end; `undefined` when it does not end within 100 bytes. One byte is one character. */
function lineAt(output: Buffer, at: number): string | undefined {
  const text = output.toString('latin1', at, at + 100)
  const end = text.indexOf('\n')
  return end < 0 ? undefined : text.slice(0, end)
}

function ownSection(host: string, sections: ReadonlyMap<string, Section>, name: string): string {
  const section = sections.get(name)
  if (section?.code === 0) return section.stdout.toString('utf8')
  throw new HostError(
    'tool',
    host,
    `/var/lib/gitwall cannot be read (${excerpt(section?.stderr ?? '')}): log in as root or set ansible_become`,
  )
}

function parseTransactions(host: string, text: string): HostReading['transactions'] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [id = '', state = ''] = line.split(' ')
      if (isTransactionId(id) && isTransactionState(state)) return { id, state }
      throw new HostError('output', host, `"${excerpt(line)}" is no transaction: check /var/lib/gitwall/tx`)
    })
}
