import { type Address, type Family, addressValue, familyOf } from '../net/address.ts'
import type { PortRange } from '../net/port.ts'
import type { Prefix } from '../net/prefix.ts'
import type { HostModel, Model, Nic, Rule, RuleId, Ruleset } from '../model/model.ts'
import type { ServiceMatch } from '../repo/repo.ts'

import type { Packet } from './packet.ts'
import { holds, spansOf } from './space-addresses.ts'

/** Where a packet was judged, and by what. `default` is the end of a filtered ruleset, `management` the floor. */
export interface Judgement {
  readonly place: string
  readonly verdict: 'allow' | 'deny' | 'reject'
  readonly by: RuleId | 'default' | 'unfiltered' | 'management' | 'antispoof'
}

/** The verdict on a packet's whole way, and the judgements it met; the last one decided. */
export interface PolicyVerdict {
  readonly verdict: 'allow' | 'deny' | 'reject'
  readonly judgements: readonly Judgement[]
}

/**
 * The reference semantics: what the policy says of the first packet of a connection. Out of the sender, then into the receiver;
 * whoever is not in the model is unfiltered. It reads like the specification and shares nothing with the kinds.
 */
export function judge(model: Model, packet: Packet): PolicyVerdict {
  const judgements: Judgement[] = []
  for (const judgement of steps(model, packet)) {
    judgements.push(judgement)
    if (judgement.verdict !== 'allow') return { verdict: judgement.verdict, judgements }
  }
  return { verdict: 'allow', judgements }
}

function* steps(model: Model, packet: Packet): Generator<Judgement> {
  const sender = nicAt(model, packet.source)
  const receiver = nicAt(model, packet.destination)
  const senderHost = sender === undefined ? hypervisorAt(model, packet.source) : undefined
  const receiverHost = receiver === undefined ? hypervisorAt(model, packet.destination) : undefined
  if (sender !== undefined)
    yield judgeRuleset(sender.outbound, packet, packet.destination, `${sender.guest} outbound`)
  if (senderHost !== undefined)
    yield judgeRuleset(senderHost.own.outbound, packet, packet.destination, `${senderHost.name} outbound`)
  if (receiver !== undefined)
    yield judgeRuleset(receiver.inbound, packet, packet.source, `${receiver.guest} inbound`)
  if (receiverHost !== undefined) yield judgeHostInbound(receiverHost, packet)
}

function judgeHostInbound(host: HostModel, packet: Packet): Judgement {
  const place = `${host.name} inbound`
  const isManagement =
    packet.protocol === 6 &&
    packet.destinationPort === 22 &&
    speaksOf(host.management, { family: familyOf(packet.source), value: addressValue(packet.source) })
  if (isManagement) return { place, verdict: 'allow', by: 'management' }
  return judgeRuleset(host.own.inbound, packet, packet.source, place)
}

/** First match wins; `peer` is the packet's other end as the ruleset sees it. */
function judgeRuleset(ruleset: Ruleset, packet: Packet, peer: Packet['source'], place: string): Judgement {
  if (ruleset.kind === 'unfiltered') return { place, verdict: 'allow', by: 'unfiltered' }
  const other = { family: familyOf(peer), value: addressValue(peer) }
  const rule = ruleset.rules.find((candidate) => matches(candidate, packet, other))
  return rule === undefined
    ? { place, verdict: 'deny', by: 'default' }
    : { place, verdict: rule.verdict, by: rule.id }
}

/** An address read once for many rules. */
interface Peer {
  readonly family: Family
  readonly value: bigint
}

function matches(rule: Rule, packet: Packet, peer: Peer): boolean {
  const isOfService = rule.services.some((service) => matchesService(service, packet))
  return isOfService && (rule.peer === 'any' || speaksOf(rule.peer.prefixes, peer))
}

const portProtocols = { tcp: 6, udp: 17, sctp: 132 } as const

function matchesService(service: ServiceMatch, packet: Packet): boolean {
  switch (service.protocol) {
    case 'any':
      return true
    case 'number':
      return packet.protocol === service.number
    case 'tcp':
    case 'udp':
    case 'sctp':
      return (
        packet.protocol === portProtocols[service.protocol] &&
        matchesPort(service.ports, packet.destinationPort) &&
        matchesPort(service.sourcePorts, packet.sourcePort)
      )
    case 'icmp':
    case 'icmp6':
      return (
        packet.protocol === (service.protocol === 'icmp' ? 1 : 58) &&
        familyOf(packet.source) === (service.protocol === 'icmp' ? 4 : 6) &&
        (service.type === undefined || service.type === packet.icmpType) &&
        (service.code === undefined || service.code === packet.icmpCode)
      )
  }
}

function matchesPort(ranges: readonly PortRange[], port: number | undefined): boolean {
  return (
    ranges.length === 0 ||
    (port !== undefined && ranges.some(({ first, last }) => first <= port && port <= last))
  )
}

/** Who has which address; the first in the order of the model. Built once per model: a fleet has many thousands. */
interface Directory {
  readonly nics: ReadonlyMap<string, Nic>
  readonly hypervisors: ReadonlyMap<string, HostModel>
}

const directories = new WeakMap<Model, Directory>()

function directoryOf(model: Model): Directory {
  const known = directories.get(model)
  if (known !== undefined) return known
  const nics = new Map<string, Nic>()
  const hypervisors = new Map<string, HostModel>()
  for (const host of model.hosts) {
    const address = host.connection.host
    if (address !== undefined && !hypervisors.has(address)) hypervisors.set(address, host)
    for (const nic of host.nics) for (const one of nic.addresses) if (!nics.has(one)) nics.set(one, nic)
  }
  const directory = { nics, hypervisors }
  directories.set(model, directory)
  return directory
}

/** The NIC that has this address, as `judge` sees it. */
export function nicAt(model: Model, address: Address): Nic | undefined {
  return directoryOf(model).nics.get(address)
}

/** The hypervisor that is reached at this address, as `judge` sees it. */
export function hypervisorAt(model: Model, address: Address): HostModel | undefined {
  return directoryOf(model).hypervisors.get(address)
}

/** By binary search: a list may hold thousands of prefixes. */
function speaksOf(prefixes: readonly Prefix[], { family, value }: Peer): boolean {
  return holds(spansOf(prefixes)[family], value)
}
