import type { Probe } from './host/fingerprint.ts'
import type { HostReading } from './host/read.ts'
import type { Snapshot } from './host/snapshots.ts'
import type { BeginResult, ConfirmResult, RevertResult, Transaction } from './host/transaction.ts'
import type { HostModel } from './model/model.ts'

/** What the story needs of the world in order to look. The command line passes real ones. */
export interface ReadEffects {
  /** A new connection, authenticated both ways. Rejects with a `HostError` whose message says what to do. */
  open(host: HostModel): Promise<HostReader>
  /** Runs `work` for every host, several at a time, with progress; results in the order of `hosts`. */
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
  /** A name for a new transaction, unique and ascending in time; see `isTransactionId`. */
  newId(): string
  /** Who runs this, for the record: `user@machine` or the URL of a workflow run. */
  readonly by: string
}

/** One connection to one host. */
export interface HostReader {
  /** One round trip: the record, the transactions and every probe. The probe `facts` is no part of the fingerprint. */
  read(probes: readonly Probe[]): Promise<HostReading>
  /** The newest first. */
  snapshots(): Promise<readonly Snapshot[]>
  /** The text of one; `undefined` when the host has none of that id. */
  snapshot(id: string): Promise<string | undefined>
  close(): void
}

export interface HostWriter extends HostReader {
  begin(transaction: Transaction): Promise<BeginResult>
  /** The arbiter: exactly one of confirm and revert wins. */
  confirm(id: string, record: string): Promise<ConfirmResult>
  revertNow(id: string): Promise<RevertResult>
}
