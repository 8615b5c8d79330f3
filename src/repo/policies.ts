import { fail, failTwice, warn } from './collect.ts'
import { type PolicyContext, readFirewall } from './firewalls.ts'
import type { InventoryReading } from './inventory.ts'
import { startOf } from './inventory-files.ts'
import type { FleetNames } from './peer.ts'
import { readTest } from './policy-tests.ts'
import type { Problem } from './problem.ts'
import type { FirewallDocument, Inventory, Repo, ServiceDocument, SetDocument, TestDocument } from './repo.ts'
import { builtInDocuments, readService } from './service-names.ts'
import { readSet } from './sets.ts'
import { type Schemas, validate } from './validate.ts'
import { readYaml } from './yaml-document.ts'
import { type Entry, type Node, child, entriesOf, itemsOf, textOf } from './yaml-node.ts'

/** Reads `policies/*.yaml` and merges them. Names of the inventory are known by now. */
export function readPolicies(
  files: ReadonlyMap<string, string>,
  { inventory, complete }: InventoryReading,
  schemas: Schemas,
  problems: Problem[],
): Pick<Repo, 'sets' | 'services' | 'firewalls' | 'tests'> {
  const { roots, complete: policiesComplete } = readFiles(files, schemas, problems)
  const section = (key: string): readonly Entry[] => roots.flatMap((root) => entriesOf(child(root, key)))
  const sets = merge('set', section('sets'), (entry): SetDocument => readSet(entry, problems), problems)
  const builtIn = builtInDocuments()
  const own = merge(
    'service',
    section('services'),
    (entry) => readService(entry, builtIn, problems),
    problems,
  )
  const services: ReadonlyMap<string, ServiceDocument> = new Map([...builtIn, ...own])
  const context: PolicyContext = {
    names: {
      sets: policiesComplete ? new Set(sets.keys()) : undefined,
      fleet: complete ? fleetNames(inventory) : undefined,
    },
    services: { byName: services, complete: policiesComplete },
    inventory: complete ? inventory : undefined,
  }
  const firewalls = merge(
    'firewall',
    section('firewalls'),
    (entry): FirewallDocument | undefined => readFirewall(entry, context, problems),
    problems,
  )
  const tests = roots.flatMap((root) => itemsOf(child(root, 'tests')))
  return { sets, services, firewalls, tests: readTests(tests, context, problems) }
}

function readFiles(
  files: ReadonlyMap<string, string>,
  schemas: Schemas,
  problems: Problem[],
): { readonly roots: readonly Node[]; readonly complete: boolean } {
  const paths = [...files.keys()].filter((path) => path.startsWith('policies/')).sort()
  const yaml = paths.filter((path) => /^policies\/[^/.][^/]*\.ya?ml$/.test(path))
  for (const path of paths) if (!yaml.includes(path)) checkUnread(path, problems)
  if (yaml.length === 0)
    fail(
      problems,
      'no-policies',
      startOf('policies'),
      'no policies/*.yaml: write one; without firewalls nothing is filtered',
    )
  const readings = yaml.map((path) => readYaml(path, files.get(path) ?? '', 'policy', problems))
  const roots = readings.flatMap((reading) => (reading.kind === 'read' ? [reading.root] : []))
  for (const root of roots) validate(root, schemas.policies, problems)
  return { roots, complete: readings.every((reading) => reading.kind !== 'broken') }
}

/** A policy that is not read protects nobody: say so. */
function checkUnread(path: string, problems: Problem[]): void {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (/\.ya?ml$/.test(name) && !path.includes('/.'))
    fail(problems, 'unread-file', startOf(path), 'only files directly in policies/ are read: move it there')
  else if (!/^\.|(\.md|\.txt|\.rst|\.bak|\.orig|\.swp|~)$/.test(name))
    warn(
      problems,
      'unread-file',
      startOf(path),
      'only *.yaml and *.yml are read: rename it, or move it out of policies/',
    )
}

/** Each name once over all files. The first stays. */
function merge<T extends { readonly name: string }>(
  what: string,
  entries: readonly Entry[],
  read: (entry: Entry) => T | undefined,
  problems: Problem[],
): ReadonlyMap<string, T> {
  const first = new Map<string, Entry>()
  const documents = new Map<string, T>()
  for (const entry of entries) {
    const before = first.get(entry.key)
    if (before !== undefined) {
      failTwice(problems, what, entry.key, entry.at, before.at)
      continue
    }
    first.set(entry.key, entry)
    const document = read(entry)
    if (document !== undefined) documents.set(entry.key, document)
  }
  return documents
}

function readTests(
  nodes: readonly Node[],
  context: PolicyContext,
  problems: Problem[],
): readonly TestDocument[] {
  const first = new Map<string, Node>()
  return nodes.flatMap((node) => {
    const name = textOf(child(node, 'name'))
    const before = name === undefined ? undefined : first.get(name)
    if (name !== undefined && before !== undefined) failTwice(problems, 'test', name, node.at, before.at)
    else if (name !== undefined) first.set(name, node)
    return readTest(node, context, problems) ?? []
  })
}

function fleetNames(inventory: Inventory): FleetNames {
  const namesOf = (kind: string) =>
    new Set([...inventory.hosts.values()].filter((host) => host.role.kind === kind).map((host) => host.name))
  return {
    groups: new Set(inventory.groups.keys()),
    guests: namesOf('guest'),
    hypervisors: namesOf('hypervisor'),
  }
}
