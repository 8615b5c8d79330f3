import { fail } from './collect.ts'
import { expandHostRange } from './host-range.ts'
import { startOf } from './inventory-files.ts'
import { type Problem, type Source, formatSource } from './problem.ts'
import { quote } from './quote.ts'
import { ansibleReads } from './yaml-dialect.ts'
import { type Entry, type Node, entriesOf, integerOf, textOf } from './yaml-node.ts'

/** Variables by name, each with its place: the last one written wins. */
export type Variables = Map<string, Entry>

export interface TreeGroup {
  readonly name: string
  readonly at: Source
  /** Child → where it is named as one. */
  readonly children: Map<string, Source>
  /** Direct members only. */
  readonly hosts: Set<string>
  readonly variables: Variables
  /** `ansible_group_priority`: among groups of the same depth, the higher wins. */
  priority: number
}

export interface TreeHost {
  readonly name: string
  readonly at: Source
  readonly variables: Variables
}

/** What the files of hosts and groups say, merged as Ansible merges a directory. */
export interface InventoryTree {
  readonly groups: Map<string, TreeGroup>
  readonly hosts: Map<string, TreeHost>
  /** Every mapping of variables as written, overwritten ones too. */
  readonly variableMaps: Node[]
}

/** Hosts of a whole inventory: far above any fleet, and low enough to stay quick. */
const maxHosts = 100_000

const namePattern = /^[A-Za-z0-9_](?:[A-Za-z0-9_. -]{0,61}[A-Za-z0-9_.-])?$/

export function emptyTree(): InventoryTree {
  const tree: InventoryTree = { groups: new Map(), hosts: new Map(), variableMaps: [] }
  for (const name of ['all', 'ungrouped']) addGroup(name, startOf('inventory'), tree)
  return tree
}

/** Adds one file of hosts and groups, in the order written. Its shape has been checked against the schema. */
export function addInventoryFile(root: Node, tree: InventoryTree, problems: Problem[]): void {
  for (const entry of entriesOf(root)) readGroup(entry, tree, problems)
}

function readGroup(entry: Entry, tree: InventoryTree, problems: Problem[]): TreeGroup | undefined {
  if (!checkName(entry.key, 'group', entry, problems)) return undefined
  const group = addGroup(entry.key, entry.at, tree)
  for (const section of entriesOf(entry.value)) {
    if (section.key === 'vars') {
      tree.variableMaps.push(section.value)
      for (const variable of entriesOf(section.value)) setGroupVariable(group, variable, problems)
    } else if (section.key === 'children')
      for (const one of entriesOf(section.value)) readChild(group, one, tree, problems)
    else if (section.key === 'hosts')
      for (const one of entriesOf(section.value)) readHosts(group, one, tree, problems)
  }
  return group
}

function addGroup(name: string, at: Source, tree: InventoryTree): TreeGroup {
  const known = tree.groups.get(name)
  if (known !== undefined) return known
  const group = { name, at, children: new Map(), hosts: new Set<string>(), variables: new Map(), priority: 1 }
  tree.groups.set(name, group)
  return group
}

function readChild(parent: TreeGroup, entry: Entry, tree: InventoryTree, problems: Problem[]): void {
  if (entry.key === 'all')
    return fail(problems, 'group-loop', entry.at, 'group "all" holds every group: it cannot be a child')
  const group = readGroup(entry, tree, problems)
  if (group !== undefined && !parent.children.has(group.name)) parent.children.set(group.name, entry.at)
}

function setGroupVariable(group: TreeGroup, variable: Entry, problems: Problem[]): void {
  if (variable.key !== 'ansible_group_priority') {
    group.variables.set(variable.key, variable)
    return
  }
  const priority =
    integerOf(variable.value) ?? Number(/^\d+$/.exec(textOf(variable.value) ?? '')?.[0] ?? Number.NaN)
  if (Number.isNaN(priority))
    fail(
      problems,
      'wrong-value',
      variable.value.at,
      '"ansible_group_priority" must be a whole number: correct it',
    )
  else group.priority = priority
}

function readHosts(group: TreeGroup, entry: Entry, tree: InventoryTree, problems: Problem[]): void {
  if (/^([^[\]]|\[[^[\]]*\])*:\d+$/.test(entry.key)) {
    const advice = 'write the port as "ansible_port"'
    return fail(
      problems,
      'bad-name',
      entry.at,
      `${quote(entry.key)} is not allowed as the name of a host: ${advice}`,
    )
  }
  const range = expandHostRange(entry.key, maxHosts - tree.hosts.size)
  if (range.kind === 'refused')
    return fail(problems, 'host-range', entry.at, `${quote(entry.key)}: ${range.message}`)
  tree.variableMaps.push(entry.value)
  const variables = entriesOf(entry.value)
  for (const name of range.names) {
    if (!checkName(name, 'host', entry, problems)) return
    let host = tree.hosts.get(name)
    if (host === undefined) {
      host = { name, at: entry.at, variables: new Map() }
      tree.hosts.set(name, host)
    }
    group.hosts.add(name)
    for (const variable of variables) host.variables.set(variable.key, variable)
  }
}

function checkName(name: string, what: 'host' | 'group', entry: Entry, problems: Problem[]): boolean {
  if (!namePattern.test(name)) {
    const advice = 'use letters, digits, spaces, "_", "." and "-", at most 63, a letter or digit first'
    fail(problems, 'bad-name', entry.at, `${quote(name)} is not allowed as the name of a ${what}: ${advice}`)
    return false
  }
  const reading = entry.plainKey === undefined ? undefined : keyReading(entry.plainKey)
  if (reading === undefined) return true
  fail(problems, 'quote-it', entry.at, `Ansible reads the name ${quote(entry.key)} as ${reading}: quote it`)
  return false
}

/** What Ansible makes of a key that must be text. */
function keyReading(plain: string): string | undefined {
  return ansibleReads({ plain, value: plain })
}

/** One name for two things would make patterns ambiguous; Ansible only warns. */
export function checkNamesApart(tree: InventoryTree, problems: Problem[]): void {
  for (const [name, host] of tree.hosts) {
    const group = tree.groups.get(name)
    if (group === undefined) continue
    const place = formatSource(group.at)
    fail(
      problems,
      'host-and-group',
      host.at,
      `${quote(name)} is a group, too, at ${place}: rename one of them`,
    )
  }
}
