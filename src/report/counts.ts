import type { HostOutcome, HostStatus } from '../plan/outcome.ts'

/** Statuses from what needs a person most to what needs nobody. The order of counts and of lists. */
export const statuses: readonly HostStatus[] = [
  'unknown',
  'rolled-back',
  'refused',
  'unprotected',
  'unreachable',
  'unmanaged',
  'drifted',
  'planned',
  'confirmed',
  'in-sync',
]

/** Hosts per status, in the order of `statuses`; statuses that no host has are left out. */
export function countStatuses(outcomes: readonly HostOutcome[]): ReadonlyMap<HostStatus, number> {
  const count = (status: HostStatus) => outcomes.filter((outcome) => outcome.status === status).length
  return new Map(statuses.map((status) => [status, count(status)] as const).filter(([, hosts]) => hosts > 0))
}

/** Objects to add, to change (replace) and to remove, over all kinds of the given outcomes. */
export interface ChangeCounts {
  readonly add: number
  readonly replace: number
  readonly remove: number
}

export function countChanges(outcomes: readonly HostOutcome[]): ChangeCounts {
  const counts = { add: 0, replace: 0, remove: 0 }
  for (const { changes } of outcomes) {
    for (const list of changes.values()) for (const { op } of list) counts[op]++
  }
  return counts
}
