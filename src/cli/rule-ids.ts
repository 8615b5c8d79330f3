import { backends } from '../backends.ts'
import type { RuleIdsOf } from '../report/attribution.ts'

/** The rule ids that a text of a kind carries, asked of that kind. */
export const ruleIdsOf: RuleIdsOf = (kind, text) =>
  backends.find((backend) => backend.name === kind)?.ruleIds(text) ?? []
