import type { Action } from './action.ts'
import { type Flow, inTable } from './flow.ts'
import { purposes } from './tables.ts'

/**
 * What passes because of conntrack alone, the same in both directions: replies, and the errors that belong to a connection.
 * Packets in the direction of the request go on to the rules, every one of them, so that removing a rule cuts at once. A new
 * connection that a helper expected (`+new+rel`) must match a rule too.
 */
export function stateFlows(table: number, accept: readonly Action[]): readonly Flow[] {
  const flow = inTable(table)
  return [
    inTable(table, purposes.invalid)(300, { ct_state: '+inv+trk' }, []),
    flow(290, { ct_state: '+est+rpl+trk' }, accept),
    flow(290, { ct_state: '-new+rel+trk' }, accept),
  ]
}
