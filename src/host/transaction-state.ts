/**
 * The state of a transaction on its host: the name of its marker file.
 * `prepared` not armed yet, nothing was done · `armed` steps may have run, the dead-man's switch is waiting · `reverting` ·
 * `confirmed` · `reverted` · `reverting-failed` the undo did not bring back the fingerprint of before: a person is needed ·
 * `aborted` ended before its first step · `rebooted` the host restarted while it was pending, which is its rollback.
 */
export type TransactionState = (typeof transactionStates)[number]

const transactionStates = [
  'prepared',
  'armed',
  'reverting',
  'confirmed',
  'reverted',
  'reverting-failed',
  'aborted',
  'rebooted',
] as const

export function isTransactionState(text: string): text is TransactionState {
  return (transactionStates as readonly string[]).includes(text)
}

/** Ids are chosen by the caller, one for each transaction ever begun on a host; they become names of files there. */
export function isTransactionId(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$/.test(text)
}
