import { readConnection } from './connection.ts'
import { fail, failUnknown, warn } from './collect.ts'
import { type Fleet, readGuest } from './guest.ts'
import { readHypervisor } from './hypervisor.ts'
import { type InventoryFiles, type VariableFiles, inventoryFiles, startOf } from './inventory-files.ts'
import { resolveGroups } from './inventory-groups.ts'
import {
  type InventoryTree,
  type Variables,
  addInventoryFile,
  checkNamesApart,
  emptyTree,
} from './inventory-tree.ts'
import { readNetworks } from './networks.ts'
import { checkOurVariables } from './our-variables.ts'
import type { Problem } from './problem.ts'
import { quote } from './quote.ts'
import type { HypervisorDocument, Inventory, InventoryHost, NetworkDocument } from './repo.ts'
import { type Schemas, validate } from './validate.ts'
import { type FileVariables, type HostVariables, hostVariables } from './variables.ts'
import { readYaml } from './yaml-document.ts'
import { type Entry, type Node, child, entriesOf } from './yaml-node.ts'

export interface InventoryReading {
  readonly inventory: Inventory
  readonly networks: ReadonlyMap<string, NetworkDocument>
  readonly variables: HostVariables
  /** False when a file could not be read at all: then an unknown name proves nothing. */
  readonly complete: boolean
}

/** Reads everything under `inventory/`. */
export function readInventory(
  files: ReadonlyMap<string, string>,
  schemas: Schemas,
  problems: Problem[],
): InventoryReading {
  const sorted = inventoryFiles(files.keys(), problems)
  if (sorted.hosts.length === 0)
    fail(
      problems,
      'no-inventory',
      startOf('inventory'),
      'no YAML file with hosts: write inventory/hosts.yaml',
    )
  const tree = emptyTree()
  const readAll = sorted.hosts.map((path) => readHostsFile(path, files, tree, schemas, problems))
  const fileVariables = readVariableFiles(sorted, files, tree, schemas, problems)
  checkNamesApart(tree, problems)
  const membership = resolveGroups(tree, problems)
  for (const variables of new Set(tree.variableMaps)) checkOurVariables(variables, problems)
  const variables = hostVariables(tree, membership, fileVariables)
  const networks = readNetworks(tree.variableMaps, problems)
  const hosts = readHosts(tree, variables, networks, problems)
  return {
    inventory: { hosts, groups: membership.members },
    networks,
    variables,
    complete: readAll.every(Boolean),
  }
}

function readHostsFile(
  path: string,
  files: ReadonlyMap<string, string>,
  tree: InventoryTree,
  schemas: Schemas,
  problems: Problem[],
): boolean {
  const reading = readYaml(path, files.get(path) ?? '', 'ansible', problems)
  if (reading.kind !== 'read') return reading.kind === 'empty'
  const plugin = reading.root.kind === 'mapping' ? reading.root.entries.get('plugin') : undefined
  if (plugin !== undefined) {
    const advice =
      'write its result (ansible-inventory -i FILE --list --yaml --export) into inventory/ instead'
    fail(
      problems,
      'inventory-plugin',
      plugin.at,
      `an inventory plugin is a program, which is not run: ${advice}`,
    )
    return false
  }
  validate(reading.root, schemas.inventory, problems)
  addInventoryFile(reading.root, tree, problems)
  return true
}

function readVariableFiles(
  sorted: InventoryFiles,
  files: ReadonlyMap<string, string>,
  tree: InventoryTree,
  schemas: Schemas,
  problems: Problem[],
): FileVariables {
  const read = (byName: VariableFiles, what: 'group' | 'host', known: ReadonlyMap<string, unknown>) =>
    new Map(
      [...byName].map(([name, paths]) => {
        const variables: Variables = new Map()
        for (const path of paths) {
          const entries = readVariables(path, files.get(path) ?? '', tree, schemas, problems)
          if (!known.has(name)) reportStray({ path, name, what, known: known.keys() }, entries, problems)
          for (const entry of entries) variables.set(entry.key, entry)
        }
        return [name, variables]
      }),
    )
  return {
    groups: read(sorted.groupVars, 'group', tree.groups),
    hosts: read(sorted.hostVars, 'host', tree.hosts),
  }
}

/** Ansible ignores the variables of a group or host that does not exist. That is harmless only if none of them is ours. */
function reportStray(
  stray: { path: string; name: string; what: 'group' | 'host'; known: Iterable<string> },
  entries: readonly Entry[],
  problems: Problem[],
): void {
  const { what, name, known } = stray
  const at = startOf(stray.path)
  if (entries.some((entry) => entry.key.startsWith('gitwall')))
    failUnknown(problems, { what, name, at, known, otherwise: 'correct the name of the file, or remove it' })
  else warn(problems, `unknown-${what}`, at, `the file is not read: no ${what} is named ${quote(name)}`)
}

function readVariables(
  path: string,
  text: string,
  tree: InventoryTree,
  schemas: Schemas,
  problems: Problem[],
): readonly Entry[] {
  if (text.startsWith('$ANSIBLE_VAULT;')) {
    warn(
      problems,
      'vault',
      startOf(path),
      "the file is encrypted and was not read: keep what is gitwall's elsewhere",
    )
    return []
  }
  const reading = readYaml(path, text, 'ansible', problems)
  if (reading.kind !== 'read') return []
  validate(reading.root, schemas.variables, problems)
  tree.variableMaps.push(reading.root)
  return entriesOf(reading.root)
}

function readHosts(
  tree: InventoryTree,
  variables: HostVariables,
  networks: ReadonlyMap<string, NetworkDocument>,
  problems: Problem[],
): ReadonlyMap<string, InventoryHost> {
  const roleOf = (name: string): Entry | undefined => variables.get(name, 'gitwall')
  const hypervisors = new Map<string, HypervisorDocument>()
  for (const name of tree.hosts.keys()) {
    const role = roleOf(name)
    if (role !== undefined && kindOf(role.value) === 'hypervisor')
      hypervisors.set(name, readHypervisor(role, variables.get(name, 'gitwall_management')?.value, problems))
  }
  const fleet: Fleet = { hypervisors, networks, hosts: new Set(tree.hosts.keys()), claims: new Map() }
  return new Map(
    [...tree.hosts.values()].map(({ name, at }) => [
      name,
      {
        name,
        source: at,
        role: readRole(name, roleOf(name), fleet, problems),
        // Who is not managed may be reached in ways we need not understand.
        ansible: readConnection(
          (variable) => variables.get(name, variable),
          hypervisors.has(name) ? problems : [],
        ),
      },
    ]),
  )
}

function readRole(
  name: string,
  role: Entry | undefined,
  fleet: Fleet,
  problems: Problem[],
): InventoryHost['role'] {
  if (role === undefined) return { kind: 'none' }
  const hypervisor = fleet.hypervisors.get(name)
  if (hypervisor !== undefined) return hypervisor
  switch (kindOf(role.value)) {
    case 'guest':
      return readGuest(name, role, fleet, problems) ?? { kind: 'none' }
    case 'both':
      fail(
        problems,
        'two-roles',
        role.at,
        `host ${quote(name)} is hypervisor and guest: keep "bridges", or "host" and "nics"`,
      )
      return { kind: 'none' }
    default:
      // Anything but a mapping was reported when the file was checked.
      if (role.value.kind === 'mapping') fail(problems, 'no-role', role.at, `host ${quote(name)}: ${noRole}`)
      return { kind: 'none' }
  }
}

const noRole = 'write "bridges" for a hypervisor, or "host" and "nics" for a guest'

function kindOf(role: Node): 'hypervisor' | 'guest' | 'both' | 'neither' {
  const hypervisor = child(role, 'bridges') !== undefined || child(role, 'management') !== undefined
  const guest = child(role, 'host') !== undefined || child(role, 'nics') !== undefined
  if (hypervisor) return guest ? 'both' : 'hypervisor'
  return guest ? 'guest' : 'neither'
}
