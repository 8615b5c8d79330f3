import type { KindName } from '../kernel/backend.ts'
import type { RuleId } from '../model/model.ts'
import type { HostOutcome } from '../plan/outcome.ts'

/** The rule ids that a text of a kind carries: `Backend.ruleIds`. An argument, since reports know no kinds. */
export type RuleIdsOf = (kind: KindName, text: string) => readonly RuleId[]

/** Ids of the rules that an object without ids in its text (a set) serves on this host. */
export function usersOf(outcome: HostOutcome, kind: KindName, key: string): readonly RuleId[] {
  return outcome.users.get(kind)?.get(key) ?? []
}
