import type { Change, HostState, KindName, State } from './backend.ts'

/** What must happen for `from` to become `to`, by key ascending. Empty when they are equal. */
export function diffState(from: State, to: State): readonly Change[] {
  const keys = [...new Set([...from.keys(), ...to.keys()])].sort()
  return keys.flatMap((key): Change[] => {
    const before = from.get(key)
    const after = to.get(key)
    if (before === after) return []
    if (before === undefined) return [{ op: 'add', key, after: after as string }]
    if (after === undefined) return [{ op: 'remove', key, before }]
    return [{ op: 'replace', key, before, after }]
  })
}

/** `diffState` for every kind that differs. */
export function diffHost(from: HostState, to: HostState): ReadonlyMap<KindName, readonly Change[]> {
  const kinds = [...new Set([...from.keys(), ...to.keys()])]
  const changes = kinds.map(
    (kind) => [kind, diffState(from.get(kind) ?? new Map(), to.get(kind) ?? new Map())] as const,
  )
  return new Map(changes.filter(([, list]) => list.length > 0))
}
