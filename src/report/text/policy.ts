import type { HostModel, Nic, Rule, RuleId, RuleOrigin, Ruleset } from '../../model/model.ts'
import { formatSource } from '../../repo/problem.ts'
import type { ServiceMatch } from '../../repo/repo.ts'
import { plain } from '../escape.ts'
import type { Paint } from './paint.ts'

type Rules = ReadonlyMap<RuleId, RuleOrigin>

/** Prefixes shown of one list. */
const shownPrefixes = 6

/** The effective policy of a hypervisor: its own firewall, then that of each NIC, rules in the order in which they decide. */
export function formatHostPolicy(host: HostModel, rules: Rules, paint: Paint): readonly string[] {
  return [
    paint('bold', plain(`host ${host.name}`)),
    `  ssh that no policy can shut out: ${host.management.length === 0 ? 'none' : host.management.join(', ')}`,
    ...formatDirections(host.own, rules, paint),
    ...host.nics.flatMap((nic) => formatNicPolicy(host.name, nic, rules, paint)),
  ]
}

/** The effective policy of one NIC of a guest. */
export function formatNicPolicy(host: string, nic: Nic, rules: Rules, paint: Paint): readonly string[] {
  return [
    paint(
      'bold',
      plain(`guest ${nic.guest}, port ${nic.port} on ${nic.bridge} of ${host}, network ${nic.network.name}`),
    ),
    `  ${nic.antispoof ? 'may only use' : 'anti-spoofing is off; has'} ${[nic.mac, ...nic.addresses].join(', ')}`,
    ...formatDirections(nic, rules, paint),
  ]
}

/** Where a rule stands, and where it is enforced. */
export function formatRulePolicy(
  rule: {
    readonly id: RuleId
    readonly origin: RuleOrigin
    /** Without `guest` it is the host's own firewall. */
    readonly places: readonly { readonly host: string; readonly guest?: string; readonly port?: string }[]
  },
  paint: Paint,
): readonly string[] {
  const { id, origin, places } = rule
  return [
    `${paint('bold', plain(`rule ${id}`))}: ${nameOf(origin)}`,
    ...(places.length === 0 ? ['  enforced nowhere: nothing that it protects is in the inventory'] : []),
    ...places.map(({ host, guest, port }) =>
      plain(guest === undefined ? `  host ${host}` : `  guest ${guest}, port ${port} on host ${host}`),
    ),
  ]
}

function formatDirections(
  { inbound, outbound }: { readonly inbound: Ruleset; readonly outbound: Ruleset },
  rules: Rules,
  paint: Paint,
): readonly string[] {
  return [
    ...formatRuleset('inbound', inbound, { preposition: 'from', rules, paint }),
    ...formatRuleset('outbound', outbound, { preposition: 'to', rules, paint }),
  ]
}

interface RuleStyle {
  readonly preposition: 'from' | 'to'
  readonly rules: Rules
  readonly paint: Paint
}

function formatRuleset(direction: string, ruleset: Ruleset, style: RuleStyle): readonly string[] {
  if (ruleset.kind === 'unfiltered') return [`  ${direction}: everything, no firewall speaks of it`]
  const lines = ruleset.rules.map((rule) => `    ${formatRule(rule, style)}`)
  return [`  ${direction}`, ...lines, '    deny everything else']
}

function formatRule(rule: Rule, { preposition, rules, paint }: RuleStyle): string {
  const services = rule.services.map(formatService).join(', ')
  const origin = rules.get(rule.id)
  const where = origin === undefined ? rule.id : `${rule.id} ${nameOf(origin)}`
  return `${plain(`${rule.verdict} ${services} ${preposition} ${formatPeer(rule.peer)}`)}  ${paint('dim', `# ${where}`)}`
}

function nameOf({ firewall, direction, name, source }: RuleOrigin): string {
  return plain(`${firewall} / ${direction} / ${name} (${formatSource(source)})`)
}

function formatPeer(peer: Rule['peer']): string {
  if (peer === 'any') return 'any'
  const some = peer.prefixes.slice(0, shownPrefixes).join(', ')
  const more =
    peer.prefixes.length > shownPrefixes ? `, and ${peer.prefixes.length - shownPrefixes} more` : ''
  const content = peer.prefixes.length === 0 ? 'nobody' : `${some}${more}`
  return peer.name.startsWith('rule:') ? content : `${peer.name} (${content})`
}

function formatService(match: ServiceMatch): string {
  if ('ports' in match) {
    const source = match.sourcePorts.length === 0 ? '' : ` ${formatPortList('source', match.sourcePorts)}`
    return `${formatPortList(match.protocol, match.ports)}${source}`
  }
  if (match.protocol === 'any') return 'any'
  if (match.protocol === 'number') return `proto/${match.number}`
  return [match.protocol, match.type, match.code].filter((part) => part !== undefined).join('/')
}

type PortList = Extract<ServiceMatch, { readonly protocol: 'tcp' | 'udp' | 'sctp' }>['ports']

function formatPortList(word: string, ports: PortList): string {
  return ports.length === 0 ? word : `${word}/${ports.map(formatRange).join(',')}`
}

function formatRange({ first, last }: PortList[number]): string {
  return first === last ? `${first}` : `${first}-${last}`
}
