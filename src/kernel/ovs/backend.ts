import type { RuleId } from '../../model/model.ts'
import type { Backend } from '../backend.ts'
import { desiredState } from './desired.ts'
import { parseDump, probe } from './dump.ts'
import { cookieMagic, isRuleCookie } from './tables.ts'
import { memberUsers } from './users.ts'
import { moveSteps, undoSteps } from './write.ts'

/**
 * Flows of Open vSwitch bridges. Key: `br0 table=11 priority=200,<match>`, text: `cookie=0x…,actions=…`, both as
 * `ovs-ofctl -O OpenFlow14 --no-names --no-stats dump-flows` prints them, but for ports, which are interface names in quotes.
 * Ours are those with 0x6777 in the high 16 bits of the cookie, on whatever bridge; what a hand-made one of them has that we
 * never write (timeouts, other fields and actions) stays in the text as it is.
 */
export const ovs: Backend = {
  name: 'ovs',
  probe,
  live: parseDump,
  desired: desiredState,
  steps: moveSteps,
  undo: undoSteps,
  ruleIds,
  users: memberUsers,
}

function ruleIds(text: string): readonly RuleId[] {
  const id = new RegExp(`^cookie=0x${cookieMagic}([0-9a-f]{12}),`).exec(text)?.[1]
  return id === undefined || !isRuleCookie(id) ? [] : [id as RuleId]
}
