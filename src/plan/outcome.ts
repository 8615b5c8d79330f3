import type { Change, KindName } from '../kernel/backend.ts'
import type { RuleId, RuleOrigin } from '../model/model.ts'
import type { Problem } from '../repo/problem.ts'

/** Where a host stands at the end of a run. */
export type HostStatus =
  | 'in-sync'
  | 'planned'
  | 'drifted'
  | 'confirmed'
  | 'rolled-back'
  | 'refused'
  | 'unreachable'
  | 'unknown'
  | 'unprotected'
  | 'unmanaged'

export interface HostOutcome {
  readonly host: string
  readonly status: HostStatus
  /**
   * What differs (plan, drift) or was changed (apply, rollback), by kind. `before` is what is live, except for drift: there it
   * is what was last confirmed, and `after` what is live now.
   */
  readonly changes: ReadonlyMap<KindName, readonly Change[]>
  /** Kind → key → rule ids, for objects whose text carries none (sets). A host's own, since hosts use different rules. */
  readonly users: ReadonlyMap<KindName, ReadonlyMap<string, readonly RuleId[]>>
  /** Things a person should know that did not stop the run. */
  readonly warnings: readonly string[]
  /** Why it was refused, failed or not reached; `where: what: what to do`. */
  readonly reason?: string
  /** Id of the snapshot that was taken before the change. */
  readonly snapshot?: string
  /** NIC ports the host does not have yet. */
  readonly absentPorts: readonly string[]
}

/** What a run found or did, over all its hosts. The only input of the report formats. */
export interface Report {
  readonly command: 'plan' | 'apply' | 'drift' | 'rollback'
  /** Full hash of the commit that was read; `worktree` when the files on disk were. */
  readonly commit: string
  readonly outcomes: readonly HostOutcome[]
  /** Where each rule stands, for every id that occurs in a change and is in this commit. */
  readonly rules: ReadonlyMap<RuleId, RuleOrigin>
  /** Errors and warnings of the repository. With an error nothing was read or written. */
  readonly problems: readonly Problem[]
}
