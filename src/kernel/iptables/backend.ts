import type { RuleId } from '../../model/model.ts'
import type { Backend } from '../backend.ts'
import { desiredChains } from './desired.ts'
import { liveChains, probe } from './live.ts'
import { stepsFor, undoFor } from './steps.ts'

/**
 * Chains in the table `filter` of iptables and ip6tables, either back end. Key: `<4|6> filter <chain>`. Text: the rules, one a
 * line, as iptables-save prints them after `-A <chain> `; for a chain of the kernel's our jump alone, with its number before it.
 */
export const iptables: Backend = {
  name: 'iptables',
  probe,
  live: liveChains,
  desired: desiredChains,
  steps: stepsFor,
  undo: undoFor,
  ruleIds: idsIn,
  users: () => new Map(),
}

function idsIn(text: string): readonly RuleId[] {
  return [...new Set([...text.matchAll(/"gw:([0-9a-f]{12})"/g)].map((match) => match[1] as RuleId))]
}
