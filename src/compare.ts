import type { Compiled } from './compile.ts'
import { assumedFacts } from './kernel/assumed-facts.ts'
import type { KindName } from './kernel/backend.ts'
import { diffHost } from './kernel/diff.ts'
import { equalTo } from './meaning/equal.ts'
import { type MeaningChange, difference } from './meaning/difference.ts'
import type { HostModel, Model } from './model/model.ts'
import { desiredState } from './reconcile.ts'

/** Objects of one host that two commits render differently, by kind; never empty. */
export interface ObjectCounts {
  readonly host: string
  readonly objects: ReadonlyMap<KindName, number>
}

/** What one commit means beside another. */
export interface Comparison {
  readonly changes: readonly MeaningChange[]
  /** By name of the host, ascending. */
  readonly objects: readonly ObjectCounts[]
}

/** Compares two commits without asking a host: what they mean to packets, and how many objects differ. Neither may have errors. */
export function compare(before: Compiled, after: Compiled): Comparison {
  return { changes: difference(before.model, after.model), objects: countObjects(before.model, after.model) }
}

/** Only hosts whose models differ are rendered. */
function countObjects(before: Model, after: Model): readonly ObjectCounts[] {
  const isEqual = equalTo()
  const old = new Map(before.hosts.map((host) => [host.name, host]))
  const young = new Map(after.hosts.map((host) => [host.name, host]))
  return [...new Set([...old.keys(), ...young.keys()])].sort().flatMap((name) => {
    const [was, is] = [old.get(name), young.get(name)]
    if (isEqual(was, is)) return []
    const changes = diffHost(rendered(was), rendered(is))
    const objects = new Map([...changes].map(([kind, list]) => [kind, list.length]))
    return objects.size === 0 ? [] : [{ host: name, objects }]
  })
}

function rendered(host: HostModel | undefined): ReturnType<typeof desiredState> {
  return host === undefined ? new Map() : desiredState(host, assumedFacts(host))
}
