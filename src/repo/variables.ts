import type { Membership } from './inventory-groups.ts'
import type { InventoryTree, Variables } from './inventory-tree.ts'
import type { Entry } from './yaml-node.ts'

/** Variables of the files under `group_vars/` and `host_vars/`, by name of the group or host. */
export interface FileVariables {
  readonly groups: ReadonlyMap<string, Variables>
  readonly hosts: ReadonlyMap<string, Variables>
}

/** A host's variables by Ansible's precedence. Values replace each other as a whole (`hash_behaviour = replace`). */
export interface HostVariables {
  get(host: string, variable: string): Entry | undefined
  names(host: string): ReadonlySet<string>
}

/**
 * Weakest first: `vars` of all, `vars` of the groups, group_vars/all, group_vars/ of the groups, the host's own, host_vars/.
 * Among groups a child is stronger than its parents. Source: ansible-core 2.14, VARIABLE_PRECEDENCE and vars/manager.py.
 */
export function hostVariables(
  tree: InventoryTree,
  membership: Membership,
  files: FileVariables,
): HostVariables {
  const layers = (host: string): readonly (Variables | undefined)[] => {
    const groups = membership.groupsOf.get(host) ?? []
    return [
      tree.groups.get('all')?.variables,
      ...groups.map((group) => group.variables),
      files.groups.get('all'),
      ...groups.map((group) => files.groups.get(group.name)),
      tree.hosts.get(host)?.variables,
      files.hosts.get(host),
    ]
  }
  return {
    get: (host, variable) =>
      layers(host)
        .findLast((layer) => layer?.has(variable))
        ?.get(variable),
    names: (host) => new Set(layers(host).flatMap((layer) => [...(layer?.keys() ?? [])])),
  }
}
