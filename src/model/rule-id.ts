import { createHash } from 'node:crypto'
import type { Direction, RuleId } from './model.ts'

/**
 * The id of a rule: the first 48 bits of a SHA-256 over firewall, direction and name. 48 bits are what a flow cookie leaves
 * beside our magic. It does not depend on the rule's content or place, so an edited rule keeps its counters' identity.
 */
export function ruleId(firewall: string, direction: Direction, name: string): RuleId {
  return createHash('sha256')
    .update(`${firewall}\n${direction}\n${name}`)
    .digest('hex')
    .slice(0, 12) as RuleId
}
