import { fail } from './collect.ts'
import type { InventoryTree, TreeGroup } from './inventory-tree.ts'
import type { Problem, Source } from './problem.ts'
import { quote } from './quote.ts'

/** Group memberships of a whole inventory, inherited ones included. */
const maxMemberships = 2_000_000

export interface Membership {
  /** Every group → direct and inherited members, in the order of the inventory. */
  readonly members: ReadonlyMap<string, readonly string[]>
  /** Host → its groups without `all`, weakest first: by depth, priority and name, as Ansible sorts them. */
  readonly groupsOf: ReadonlyMap<string, readonly TreeGroup[]>
}

/** Works out who is in which group. Completes the tree: hosts without a group go to `ungrouped`, groups without a parent to `all`. */
export function resolveGroups(tree: InventoryTree, problems: Problem[]): Membership {
  fillUngrouped(tree)
  const order = topologicalOrder(tree, problems)
  const depths = depthByGroup(order, tree)
  const members = membersByGroup(order, tree, problems)
  const weakestFirst = [...tree.groups.values()].sort(
    (a, b) =>
      (depths.get(a.name) ?? 0) - (depths.get(b.name) ?? 0) ||
      a.priority - b.priority ||
      (a.name < b.name ? -1 : 1),
  )
  const groupsOf = new Map<string, TreeGroup[]>([...tree.hosts.keys()].map((name) => [name, []]))
  for (const group of weakestFirst)
    if (group.name !== 'all')
      for (const host of members.get(group.name) ?? []) groupsOf.get(host)?.push(group)
  return { members, groupsOf }
}

/** As Ansible's reconcile_inventory: `ungrouped` has exactly the hosts that no other group but `all` names. */
function fillUngrouped(tree: InventoryTree): void {
  const grouped = new Set<string>()
  for (const group of tree.groups.values())
    if (group.name !== 'all' && group.name !== 'ungrouped') for (const host of group.hosts) grouped.add(host)
  const ungrouped = tree.groups.get('ungrouped')
  for (const name of tree.hosts.keys()) {
    if (grouped.has(name)) ungrouped?.hosts.delete(name)
    else ungrouped?.hosts.add(name)
  }
}

/** Parents before children (Kahn's algorithm). A loop is reported once and its groups are left out. */
function topologicalOrder(tree: InventoryTree, problems: Problem[]): readonly TreeGroup[] {
  const parents = new Map<string, number>()
  for (const group of tree.groups.values())
    for (const name of group.children.keys()) parents.set(name, (parents.get(name) ?? 0) + 1)
  const ready = [...tree.groups.values()].filter((group) => !parents.has(group.name))
  for (const group of ready)
    for (const name of group.children.keys()) {
      const left = (parents.get(name) ?? 0) - 1
      parents.set(name, left)
      const next = tree.groups.get(name)
      if (left === 0 && next !== undefined) ready.push(next)
    }
  if (ready.length < tree.groups.size) reportLoop(new Set(ready), tree, problems)
  return ready
}

/** Whoever is left has a parent that is left: going up ends in a loop. */
function reportLoop(done: ReadonlySet<TreeGroup>, tree: InventoryTree, problems: Problem[]): void {
  const parentOf = new Map<string, { parent: TreeGroup; at: Source }>()
  const left = [...tree.groups.values()].filter((group) => !done.has(group))
  for (const parent of left) for (const [name, at] of parent.children) parentOf.set(name, { parent, at })
  const seen = new Set<string>()
  let name = left[0]?.name ?? ''
  while (!seen.has(name)) {
    seen.add(name)
    name = parentOf.get(name)?.parent.name ?? name
  }
  const link = parentOf.get(name)
  if (link === undefined) return
  const message = `group ${quote(name)} is a child of itself, by way of ${quote(link.parent.name)}: remove one of the links`
  fail(problems, 'group-loop', link.at, message)
}

/** The longest way down from `all`. */
function depthByGroup(order: readonly TreeGroup[], tree: InventoryTree): ReadonlyMap<string, number> {
  const depths = new Map([...tree.groups.keys()].map((name) => [name, name === 'all' ? 0 : 1]))
  // `all` is above all: its children are at least 1 deep anyway.
  for (const group of order)
    for (const name of group.children.keys())
      depths.set(name, Math.max(depths.get(name) ?? 1, (depths.get(group.name) ?? 0) + 1))
  return depths
}

function membersByGroup(
  order: readonly TreeGroup[],
  tree: InventoryTree,
  problems: Problem[],
): ReadonlyMap<string, readonly string[]> {
  const rank = new Map([...tree.hosts.keys()].map((name, index) => [name, index]))
  const members = new Map<string, readonly string[]>([...tree.groups.keys()].map((name) => [name, []]))
  let total = 0
  for (const group of [...order].reverse()) {
    if (group.name === 'all') continue
    const own = new Set(group.hosts)
    for (const name of group.children.keys()) for (const host of members.get(name) ?? []) own.add(host)
    total += own.size
    if (total > maxMemberships) {
      const message = `more than ${maxMemberships} memberships of hosts in groups: nest the groups less`
      fail(problems, 'inventory-too-large', group.at, message)
      break
    }
    members.set(
      group.name,
      [...own].sort((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0)),
    )
  }
  members.set('all', [...tree.hosts.keys()])
  return members
}
