import type { Action } from './action.ts'

/** These come first, in this order, each once: the last that was written. */
const slots = ['pop-vlan', 'push-vlan', 'decrement-hop-limit'] as const
/** One of these comes last: the first of this list that was written, and of its kind the last. */
const finals = ['unknown-copy', 'output', 'resubmit', 'ct-clear', 'ct'] as const

/**
 * What an action set does when the packet has met its last flow, in order. Nothing when none of its actions sends the packet
 * anywhere. See ovs-actions(7), "Action Sets".
 */
export function actionsOfSet(set: readonly Action[]): readonly Action[] {
  const strange = set.find(({ kind }) => kind === 'unknown')
  if (strange !== undefined) return [strange]
  const lastOf = (kinds: readonly Action['kind'][]) =>
    kinds
      .map((kind) => set.findLast((action) => action.kind === kind))
      .filter((action) => action !== undefined)
  const [final] = lastOf(finals)
  return final === undefined
    ? []
    : [...lastOf(slots), ...set.filter(({ kind }) => kind === 'set' || kind === 'move'), final]
}
