/** What can be said to every command. Values are checked and have their defaults. */
export interface Options {
  /** Directory of the repository. */
  readonly repo: string
  readonly ref: string
  /** Commit whose connection data is used instead of `ref`'s: what a pull request says of hosts is not believed. */
  readonly connectionRef?: string
  /** Read the files on disk instead of a commit. */
  readonly worktree: boolean
  /** Inventory names of hypervisors. Empty: all, or what `limit` selects. */
  readonly host: readonly string[]
  readonly limit?: string
  readonly format: 'text' | 'json'
  /** File that takes what would go to stdout. */
  readonly output?: string
  readonly yes: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  /** False: never. True: where the output is a terminal. */
  readonly color: boolean
  readonly sshConfig?: string
  readonly knownHosts?: string
  /** Hosts at a time. */
  readonly forks: number
  /** Seconds that a host may take to answer. */
  readonly timeout: number
  /** Seconds until a changed host that is not confirmed goes back by itself. */
  readonly confirmWindow: number
}

/** What a command gets beside its own arguments. */
export interface Context {
  readonly options: Options
  /** Aborted by SIGINT and SIGTERM: begin nothing new, end what is under way. */
  readonly signal: AbortSignal
}

/** Wrong use of the command: nothing was done. The message is `what: what to do`. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
