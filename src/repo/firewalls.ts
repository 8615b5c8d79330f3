import { fail, failTwice, warn } from './collect.ts'
import { matchPattern, parsePattern } from './pattern.ts'
import { type Names, readPeer } from './peer.ts'
import type { Problem, Source } from './problem.ts'
import { quote, quoteList } from './quote.ts'
import type { FirewallDocument, Inventory, PeerDocument, RuleDocument } from './repo.ts'
import { type ServiceNames, readServices } from './service-names.ts'
import { type Entry, type Node, child, integerOf, itemsOf, textOf } from './yaml-node.ts'

/** What firewalls refer to. */
export interface PolicyContext {
  readonly names: Names
  readonly services: ServiceNames
  /** `undefined`: it could not be read in full, so host patterns are not judged. */
  readonly inventory: Inventory | undefined
}

const maxGeneratedName = 100

/** Reads a firewall. Its shape has been checked against the schema; what is missing there is left out here without a word. */
export function readFirewall(
  entry: Entry,
  context: PolicyContext,
  problems: Problem[],
): FirewallDocument | undefined {
  const protectsNode = child(entry.value, 'protects')
  const protects = textOf(protectsNode)
  const taken = new Map<string, RuleName>()
  const inbound = readRules(child(entry.value, 'inbound'), 'from', taken, context, problems)
  const outbound = readRules(child(entry.value, 'outbound'), 'to', taken, context, problems)
  if (protectsNode === undefined || protects === undefined) return undefined
  checkProtects(entry.key, protects, protectsNode.at, context.inventory, problems)
  if (child(entry.value, 'inbound') === undefined && child(entry.value, 'outbound') === undefined)
    warn(
      problems,
      'no-rules',
      entry.at,
      `firewall ${quote(entry.key)} has neither "inbound" nor "outbound": it does nothing`,
    )
  return {
    name: entry.key,
    protects,
    order: integerOf(child(entry.value, 'order')) ?? 100,
    ...(inbound === undefined ? {} : { inbound }),
    ...(outbound === undefined ? {} : { outbound }),
    source: entry.at,
    protectsSource: protectsNode.at,
  }
}

function checkProtects(
  firewall: string,
  protects: string,
  at: Source,
  inventory: Inventory | undefined,
  problems: Problem[],
): void {
  const reading = parsePattern(protects)
  if (reading.kind === 'refused') return fail(problems, 'bad-pattern', at, reading.message)
  if (inventory === undefined) return
  const { hosts, unknown } = matchPattern(reading.pattern, inventory)
  for (const message of unknown) fail(problems, 'unknown-host-or-group', at, message)
  if (hosts.length === 0 && unknown.length === 0)
    warn(
      problems,
      'protects-nobody',
      at,
      `firewall ${quote(firewall)} protects nobody: correct the pattern, or remove it`,
    )
  const without = hosts.filter((name) => inventory.hosts.get(name)?.role.kind === 'none')
  if (without.length > 0)
    warn(
      problems,
      'not-protected',
      at,
      `${quoteList(without)} cannot be protected: the variable "gitwall" is missing there`,
    )
}

interface RuleName {
  readonly at: Source
  readonly generated: boolean
}

function readRules(
  node: Node | undefined,
  peerKey: 'from' | 'to',
  taken: Map<string, RuleName>,
  context: PolicyContext,
  problems: Problem[],
): readonly RuleDocument[] | undefined {
  if (node?.kind !== 'list') return undefined
  return node.items.flatMap((item) => {
    const rule = readRule(item, peerKey, context, problems)
    if (rule !== undefined) claimName(rule, textOf(child(item, 'name')) === undefined, taken, problems)
    return rule ?? []
  })
}

function readRule(
  node: Node,
  peerKey: 'from' | 'to',
  context: PolicyContext,
  problems: Problem[],
): RuleDocument | undefined {
  const verdict = (['allow', 'deny', 'reject'] as const).find((key) => child(node, key) !== undefined)
  const serviceNode = verdict && child(node, verdict)
  const peerNode = child(node, peerKey)
  const services = readServices(serviceNode, context.services, problems)
  const peers = itemsOf(peerNode).flatMap((one) => readPeer(one, context.names, problems) ?? [])
  warnAboutAny(peerNode, peers, problems)
  if (verdict === undefined || services.length === 0 || peers.length === 0) return undefined
  const given = textOf(child(node, 'name'))
  if (given !== undefined && !checkName(given, child(node, 'name')?.at ?? node.at, problems)) return undefined
  const enabled = child(node, 'enabled')
  return {
    name:
      given ??
      `${verdict} ${textsOf(serviceNode)} ${peerKey} ${textsOf(peerNode)}`.slice(0, maxGeneratedName),
    verdict,
    services,
    peers,
    enabled: !(enabled?.kind === 'scalar' && enabled.value === false),
    source: node.at,
  }
}

/** Names of rules and tests stand in reports: they must be one line. */
export function checkName(name: string, at: Source, problems: Problem[]): boolean {
  if (/^\S(.*\S)?$/.test(name)) return true
  fail(problems, 'bad-name', at, `name ${quote(name)}: write one line without spaces around it`)
  return false
}

function textsOf(node: Node | undefined): string {
  return itemsOf(node)
    .map((item) => textOf(item) ?? '')
    .join(', ')
}

function warnAboutAny(node: Node | undefined, peers: readonly PeerDocument[], problems: Problem[]): void {
  const any = peers.find((peer) => peer.kind === 'any')
  if (any !== undefined && itemsOf(node).length > 1)
    warn(problems, 'any-among-peers', any.at, '"any" holds everyone: remove the other entries, or "any"')
}

function claimName(
  rule: RuleDocument,
  generated: boolean,
  taken: Map<string, RuleName>,
  problems: Problem[],
): void {
  const first = taken.get(rule.name)
  if (first === undefined) taken.set(rule.name, { at: rule.source, generated })
  else if (generated && first.generated) {
    const message = `this rule reads like that of line ${first.at.line} (${quote(rule.name)}): remove one, or give both a "name"`
    fail(problems, 'duplicate-rule', rule.source, message)
  } else failTwice(problems, 'rule', rule.name, rule.source, first.at)
}
