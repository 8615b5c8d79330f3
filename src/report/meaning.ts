import type { KindName } from '../kernel/backend.ts'
import type { MeaningChange } from '../meaning/difference.ts'
import type { Names } from '../meaning/names.ts'
import type { RuleId, RuleOrigin } from '../model/model.ts'

/** What `diff` found: the only input of its report formats. */
export interface MeaningReport {
  /** Full hash of the commit compared with; full hash, or `worktree`, of the one that is looked at. */
  readonly base: string
  readonly commit: string
  /** What opens most first. */
  readonly changes: readonly MeaningChange[]
  /** Rendered objects that differ, by host and kind. */
  readonly objects: readonly { readonly host: string; readonly objects: ReadonlyMap<KindName, number> }[]
  readonly names: Names
  /** Of both commits; where a rule is in both, as the later one has it. */
  readonly rules: ReadonlyMap<RuleId, RuleOrigin>
}
