import type { Step } from './kernel/backend.ts'
import type { HostModel } from './model/model.ts'

/** What the story needs of the world. The command line passes real ones; nothing here knows SSH. */
export interface ReadEffects {
  /** A new connection, authenticated both ways. Rejects with an error whose message says what to do. */
  open(host: HostModel): Promise<HostReader>
  /** Runs `work` for every host, several at a time, with progress. `work` does not reject for what the world does to a host. */
  eachHost<T>(
    hosts: readonly HostModel[],
    work: (host: HostModel, progress: (text: string) => void) => Promise<T>,
  ): Promise<readonly T[]>
}

/** The same, with hosts that can be written to. */
export interface WriteEffects extends ReadEffects {
  open(host: HostModel): Promise<HostWriter>
  /** Now, ISO 8601 in UTC. */
  now(): string
  sleep(milliseconds: number): Promise<void>
  /** A name for a new transaction, unique and ascending in time: letters, digits, `-`, `.`. */
  newId(): string
  /** Who runs this, for the record: `user@machine` or the URL of a workflow run. */
  readonly by: string
}

export interface HostReader {
  /** One round trip: the facts, every probe's output, the record and what is pending. */
  read(probes: readonly Probe[]): Promise<HostReading>
  /** Ids of the snapshots kept there, newest first, with their text read lazily by `snapshot`. */
  snapshots(): Promise<readonly SnapshotEntry[]>
  snapshot(id: string): Promise<string | undefined>
  close(): void
}

export interface HostWriter extends HostReader {
  begin(transaction: Transaction): Promise<BeginResult>
  /** The arbiter: exactly one of confirm and revert wins. */
  confirm(id: string, record: string): Promise<'confirmed' | 'reverted' | 'unknown-id'>
  revertNow(id: string): Promise<'reverted' | 'revert-failed' | 'confirmed' | 'unknown-id'>
}

export interface Probe {
  readonly name: string
  /** Static shell text. */
  readonly script: string
}

export interface HostReading {
  readonly outputs: ReadonlyMap<string, ProbeOutput>
  /** Digest over the outputs of the kinds' probes. */
  readonly fingerprint: string
  /** What was last confirmed there, as it was written; absent when nothing was. */
  readonly confirmed?: string
  /** Ids of transactions that are neither confirmed nor reverted. */
  readonly pending: readonly string[]
}

export interface ProbeOutput {
  readonly stdout: string
  readonly stderr: string
  readonly code: number
}

export interface SnapshotEntry {
  readonly id: string
  readonly bytes: number
}

/** One host's change, ready to run there without us. */
export interface Transaction {
  readonly id: string
  /** Fingerprint that the host must still have. */
  readonly expected: string
  readonly probes: readonly Probe[]
  readonly steps: readonly Step[]
  readonly undo: readonly Step[]
  /** Kept as `snapshots/<id>`. */
  readonly snapshot: string
  /** Seconds until the host goes back by itself. */
  readonly windowSeconds: number
}

export type BeginResult =
  | { readonly kind: 'moved' }
  | { readonly kind: 'refused'; readonly why: 'locked' | 'pending' | 'changed' }
  | { readonly kind: 'failed-step'; readonly index: number; readonly code: number; readonly stderr: string }
