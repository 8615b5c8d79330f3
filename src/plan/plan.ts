import type { Backend, Change, HostState, KindName, Phase, Step } from '../kernel/backend.ts'
import { diffHost } from '../kernel/diff.ts'
import type { HostFacts } from '../kernel/facts.ts'

/** Everything that will be run on one host, as a value, and the way back. */
export interface HostPlan {
  readonly changes: ReadonlyMap<KindName, readonly Change[]>
  /** In the order they run. */
  readonly steps: readonly Step[]
  /** Brings every changed object back to what it was, from wherever `steps` stopped. In the order they run. */
  readonly undo: readonly Step[]
}

const phases: readonly Phase[] = ['widen', 'switch', 'narrow', 'cleanup']

/**
 * The plan that moves a host from `live` to `target`: widen, switch, narrow, cleanup (invariant 6), the kinds within a phase in
 * the order of `backends`. A rollback is the same plan with a snapshot as its target.
 */
export function planHost(
  backends: readonly Backend[],
  {
    live,
    target,
    facts,
  }: { readonly live: HostState; readonly target: HostState; readonly facts: HostFacts },
): HostPlan {
  const changes = diffHost(live, target)
  const changesOf = (backend: Backend) => changes.get(backend.name) ?? []
  return {
    changes,
    steps: inPhases(backends.flatMap((backend) => backend.steps(changesOf(backend), facts))),
    undo: inPhases(backends.flatMap((backend) => backend.undo(changesOf(backend), facts))),
  }
}

/** A stable sort: within a phase the steps keep the order they came in. */
function inPhases(steps: readonly Step[]): readonly Step[] {
  return [...steps].sort((a, b) => phases.indexOf(a.phase) - phases.indexOf(b.phase))
}
