import { createHash } from 'node:crypto'

/** Shell text that prints one part of a host's state, and its name: `[a-z][a-z0-9-]*`. It contains no data. */
export interface Probe {
  readonly name: string
  readonly script: string
}

/** What one probe printed. `stdout` is bytes: text of a host need not be UTF-8, and the digest is over the bytes. */
export interface ProbeOutput {
  readonly stdout: Buffer
  readonly code: number
}

/**
 * SHA-256, as hex, over what the probes printed, in their order; equal fingerprints mean that nothing changed.
 * The host computes the same in `fingerprint` of prelude.sh: lines `NAME DIGEST`, each digest over stdout and `\nexit CODE\n`.
 */
export function fingerprintOf(probes: readonly Probe[], outputs: ReadonlyMap<string, ProbeOutput>): string {
  const lines = probes.map(({ name }) => {
    const output = outputs.get(name)
    if (output === undefined) throw new Error(`no output of probe "${name}"`)
    return `${name} ${createHash('sha256').update(output.stdout).update(`\nexit ${output.code}\n`).digest('hex')}\n`
  })
  return createHash('sha256').update(lines.join('')).digest('hex')
}

/** A probe's name goes into file names and frames on the host. */
export function isProbeName(name: string): boolean {
  return /^[a-z][a-z0-9-]{0,31}$/.test(name)
}
