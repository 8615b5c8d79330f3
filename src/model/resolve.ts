import { hostPrefix } from '../net/prefix.ts'
import { aggregate } from '../net/prefix.ts'
import { linkLocal } from '../net/mac.ts'
import { familyOf } from '../net/address.ts'
import type { Problem, Source } from '../repo/problem.ts'
import type {
  FirewallDocument,
  HypervisorDocument,
  InventoryHost,
  NicDocument,
  Repo,
  RuleDocument,
} from '../repo/repo.ts'
import { formatSource } from '../repo/problem.ts'
import { type AddressBook, addressBook } from './addresses.ts'
import type {
  AddressList,
  Direction,
  HostModel,
  Model,
  Network,
  Nic,
  Rule,
  RuleId,
  RuleOrigin,
  Ruleset,
  SourcePair,
} from './model.ts'
import { overlap } from './overlap.ts'
import { ruleId } from './rule-id.ts'
import { zoneOfNetwork } from './zone.ts'

/** A firewall with its rules resolved, and the inventory names it protects. */
interface Firewall {
  readonly document: FirewallDocument
  readonly protects: ReadonlySet<string>
  readonly inbound: readonly Rule[] | undefined
  readonly outbound: readonly Rule[] | undefined
}

/** What the compilation of one repository shares. */
interface Context {
  readonly repo: Repo
  readonly book: AddressBook
  readonly networks: ReadonlyMap<string, Network>
  readonly firewalls: readonly Firewall[]
  readonly origins: ReadonlyMap<RuleId, RuleOrigin>
  readonly problems: Problem[]
  /** Pairs of rules already compared, as `id id`. */
  readonly compared: Set<string>
  /** Guests by the hypervisor they run on, in the order of the inventory. */
  readonly guestsByHost: ReadonlyMap<string, readonly InventoryHost[]>
  /** Firewalls that protect a name, in their order. */
  readonly firewallsByName: ReadonlyMap<string, readonly Firewall[]>
  /** What the same firewalls say is the same object everywhere: whoever compares rulesets looks once. By `kind direction names`. */
  readonly rulesets: Map<string, Ruleset>
}

/**
 * Resolves every name of a repository: who may talk to whom, host by host. `matchHosts` tells which inventory hosts a
 * `protects:` pattern means. The model holds whatever could be resolved; use it only when no problem is an error.
 */
export function resolve(
  repo: Repo,
  matchHosts: (pattern: string) => Iterable<string>,
): { readonly model: Model; readonly problems: readonly Problem[] } {
  const problems: Problem[] = []
  const book = addressBook(repo)
  const origins = new Map<RuleId, RuleOrigin>()
  const firewalls = [...repo.firewalls.values()]
    .map((document) =>
      firewallOf(document, { book, origins, problems, protects: new Set(matchHosts(document.protects)) }),
    )
    .sort((a, b) => a.document.order - b.document.order || compareText(a.document.name, b.document.name))
  const networks = networksOf(repo, problems)
  const context = {
    repo,
    book,
    networks,
    firewalls,
    origins,
    problems,
    compared: new Set<string>(),
    guestsByHost: guestsByHost(repo),
    firewallsByName: firewallsByName(firewalls),
    rulesets: new Map<string, Ruleset>(),
  }

  checkIdentities(context)
  const hypervisors = [...repo.inventory.hosts.values()].filter((host) => host.role.kind === 'hypervisor')
  const hosts = hypervisors.map((host) => hostModel(host, host.role as HypervisorDocument, context))
  return { model: { hosts: hosts.sort((a, b) => compareText(a.name, b.name)), rules: origins }, problems }
}

function guestsByHost(repo: Repo): ReadonlyMap<string, readonly InventoryHost[]> {
  const guests = new Map<string, InventoryHost[]>()
  for (const host of repo.inventory.hosts.values()) {
    if (host.role.kind !== 'guest') continue
    const neighbours = guests.get(host.role.host)
    if (neighbours === undefined) guests.set(host.role.host, [host])
    else neighbours.push(host)
  }
  return guests
}

function firewallsByName(firewalls: readonly Firewall[]): ReadonlyMap<string, readonly Firewall[]> {
  const byName = new Map<string, Firewall[]>()
  for (const firewall of firewalls)
    for (const name of firewall.protects) {
      const others = byName.get(name)
      if (others === undefined) byName.set(name, [firewall])
      else others.push(firewall)
    }
  return byName
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function firewallOf(
  document: FirewallDocument,
  context: Pick<Context, 'book' | 'problems'> & {
    origins: Map<RuleId, RuleOrigin>
    protects: ReadonlySet<string>
  },
): Firewall {
  const rulesOf = (direction: Direction, documents: readonly RuleDocument[] | undefined) =>
    documents
      ?.filter((rule) => rule.enabled)
      .map((rule): Rule => {
        const id = ruleId(document.name, direction, rule.name)
        const before = context.origins.get(id)
        if (before !== undefined)
          context.problems.push({
            code: 'rule-id-collision',
            severity: 'error',
            at: rule.source,
            message: `this rule and "${before.name}" at ${formatSource(before.source)} hash to the same id: rename one of them`,
          })
        context.origins.set(id, { firewall: document.name, direction, name: rule.name, source: rule.source })
        return { id, verdict: rule.verdict, peer: context.book.peerOf(rule, id), services: rule.services }
      })
  return {
    document,
    protects: context.protects,
    inbound: rulesOf('inbound', document.inbound),
    outbound: rulesOf('outbound', document.outbound),
  }
}

function networksOf(repo: Repo, problems: Problem[]): ReadonlyMap<string, Network> {
  const nameByZone = new Map<number, string>()
  const networks = new Map<string, Network>()
  for (const document of repo.networks.values()) {
    const zone = document.zone ?? zoneOfNetwork(document.name)
    const other = nameByZone.get(zone)
    // Two declared zones were compared where they were read.
    if (other !== undefined && (document.zone === undefined || repo.networks.get(other)?.zone === undefined))
      problems.push({
        code: 'zone-collision',
        severity: 'error',
        at: document.source,
        message: `networks "${other}" and "${document.name}" share conntrack zone ${zone}: give one of them a "zone" of its own (1–65535)`,
      })
    nameByZone.set(zone, document.name)
    networks.set(document.name, {
      name: document.name,
      zone,
      ...(document.vlan === undefined ? {} : { vlan: document.vlan }),
    })
  }
  return networks
}

/** A port stands once on a host, a MAC and an address once in a network: two owners would share verdicts by luck. */
function checkIdentities({ repo, problems }: Context): void {
  const ownerByIdentity = new Map<string, Source>()
  const claim = (identity: string, what: string, at: Source) => {
    const owner = ownerByIdentity.get(identity)
    if (owner === undefined) ownerByIdentity.set(identity, at)
    else
      problems.push({
        code: 'duplicate-identity',
        severity: 'error',
        at,
        message: `${what} is already taken at ${formatSource(owner)}: give each NIC its own`,
      })
  }
  for (const guest of repo.inventory.hosts.values()) {
    if (guest.role.kind !== 'guest') continue
    for (const nic of guest.role.nics) {
      claim(
        `port ${guest.role.host} ${nic.port}`,
        `port "${nic.port}" of host "${guest.role.host}"`,
        nic.source,
      )
      claim(`mac ${nic.network} ${nic.mac}`, `MAC "${nic.mac}" in network "${nic.network}"`, nic.source)
      for (const address of nic.addresses)
        claim(
          `address ${nic.network} ${address}`,
          `address "${address}" in network "${nic.network}"`,
          nic.source,
        )
    }
  }
}

function hostModel(host: InventoryHost, role: HypervisorDocument, context: Context): HostModel {
  const guests = context.guestsByHost.get(host.name) ?? []
  const nics = guests.flatMap((guest) =>
    guest.role.kind === 'guest' ? guest.role.nics.flatMap((nic) => nicModel(guest, nic, role, context)) : [],
  )
  const own = {
    inbound: ruleset(host, 'inbound', context, 'hypervisor'),
    outbound: ruleset(host, 'outbound', context, 'hypervisor'),
  }
  const rulesets = [own.inbound, own.outbound, ...nics.flatMap((nic) => [nic.inbound, nic.outbound])]
  return {
    name: host.name,
    connection: host.ansible,
    bridges: role.bridges.map(({ name, datapath, uplinks, unmanaged }) => ({
      name,
      datapath,
      uplinks,
      unmanaged,
    })),
    nics: nics.sort((a, b) => compareText(a.port, b.port)),
    own,
    management: aggregate(role.management),
    lists: listsOf(rulesets),
  }
}

function listsOf(rulesets: readonly Ruleset[]): readonly AddressList[] {
  const byName = new Map<string, AddressList>()
  for (const { rules } of rulesets)
    for (const { peer } of rules) if (peer !== 'any') byName.set(peer.name, peer)
  return [...byName.values()].sort((a, b) => compareText(a.name, b.name))
}

function nicModel(
  guest: InventoryHost,
  nic: NicDocument,
  hypervisor: HypervisorDocument,
  context: Context,
): readonly Nic[] {
  const network = context.networks.get(nic.network)
  const bridge = hypervisor.bridges.find((candidate) => candidate.name === nic.bridge)
  const missing =
    network === undefined
      ? {
          code: 'unknown-network',
          message: `no network named "${nic.network}" in "gitwall_networks"${known(context.networks.keys())}`,
        }
      : bridge === undefined
        ? {
            code: 'unknown-bridge',
            message: `its host has no bridge named "${nic.bridge}"${known(hypervisor.bridges.map(({ name }) => name))}`,
          }
        : undefined
  if (missing !== undefined || network === undefined) {
    if (missing !== undefined) context.problems.push({ ...missing, severity: 'error', at: nic.source })
    return []
  }
  return [
    {
      guest: guest.name,
      port: nic.port,
      bridge: nic.bridge,
      network,
      mac: nic.mac,
      addresses: nic.addresses,
      antispoof: nic.antispoof === 'on',
      sources: sourcesOf(nic),
      dhcpServer: nic.dhcpServer,
      routerAdvertisements: nic.routerAdvertisements,
      inbound: ruleset(guest, 'inbound', context, 'guest'),
      outbound: ruleset(guest, 'outbound', context, 'guest'),
    },
  ]
}

function known(names: Iterable<string>): string {
  const list = [...names]
  return list.length === 0 ? '; none is declared' : `; known: ${list.slice(0, 8).join(', ')}`
}

/** Own MAC with own addresses, the link-local address of every MAC in use, and the declared pairs. */
function sourcesOf(nic: NicDocument): readonly SourcePair[] {
  const declared = nic.pairs.map((pair) => ({ mac: pair.mac ?? nic.mac, prefix: pair.prefix }))
  const macs = [...new Set([nic.mac, ...declared.map((pair) => pair.mac)])]
  const all = [
    ...nic.addresses.map((address) => ({ mac: nic.mac, prefix: hostPrefix(address) })),
    ...macs.map((mac) => ({ mac, prefix: hostPrefix(linkLocal(mac)) })),
    ...declared,
  ]
  const byText = new Map(all.map((pair) => [`${pair.mac} ${familyOf(pair.prefix)} ${pair.prefix}`, pair]))
  return [...byText.entries()].sort(([a], [b]) => compareText(a, b)).map(([, pair]) => pair)
}

/**
 * The rules of one direction at one place. A guest that any firewall protects is filtered both ways; a hypervisor only in
 * the directions that some firewall mentions, since an unmentioned outbound default of "deny" would cut its storage and DNS.
 */
function ruleset(
  host: InventoryHost,
  direction: Direction,
  context: Context,
  what: 'guest' | 'hypervisor',
): Ruleset {
  const protecting = context.firewallsByName.get(host.name) ?? []
  const speaking = protecting.filter((firewall) => firewall[direction] !== undefined)
  const isFiltered = what === 'guest' ? protecting.length > 0 : speaking.length > 0
  if (!isFiltered) return unfiltered
  // The names of firewalls hold no line feed.
  const key = [direction, ...speaking.map((firewall) => firewall.document.name)].join('\n')
  const known = context.rulesets.get(key)
  if (known !== undefined) return known
  reportConflicts(speaking, direction, context, host.name)
  const made: Ruleset = {
    kind: 'filtered',
    rules: speaking.flatMap((firewall) => firewall[direction] ?? []),
  }
  context.rulesets.set(key, made)
  return made
}

const unfiltered: Ruleset = { kind: 'unfiltered', rules: [] }

/** Two firewalls of one order must not disagree on any packet: their order among each other means nothing to the user. */
function reportConflicts(
  firewalls: readonly Firewall[],
  direction: Direction,
  context: Context,
  host: string,
): void {
  for (const [index, left] of firewalls.entries())
    for (const right of firewalls.slice(index + 1))
      if (left.document.order === right.document.order)
        for (const a of left[direction] ?? [])
          for (const b of right[direction] ?? []) if (a.verdict !== b.verdict) compare(a, b)

  function compare(a: Rule, b: Rule): void {
    if (context.compared.has(`${a.id} ${b.id}`)) return
    context.compared.add(`${a.id} ${b.id}`)
    const example = overlap(a, b)
    const [left, right] = [context.origins.get(a.id), context.origins.get(b.id)]
    if (example === undefined || left === undefined || right === undefined) return
    context.problems.push({
      code: 'order-conflict',
      severity: 'error',
      at: right.source,
      message:
        `firewalls "${left.firewall}" and "${right.firewall}" have the same order and disagree on ${host} ` +
        `(${direction}: ${example}): "${left.name}" at ${formatSource(left.source)} says ${a.verdict}, "${right.name}" says ${b.verdict}: ` +
        'give one of the firewalls another "order"',
    })
  }
}
