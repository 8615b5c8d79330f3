import { type Address, familyOf } from '../net/address.ts'
import { type Prefix, contains, parsePrefix } from '../net/prefix.ts'
import { readAddress, readPrefix } from './address-text.ts'
import { fail, failTwice } from './collect.ts'
import type { Problem, Source } from './problem.ts'
import { quote, quoteList } from './quote.ts'
import type { NetworkDocument } from './repo.ts'
import { type Entry, type Node, child, entriesOf, integerOf, itemsOf } from './yaml-node.ts'

/** The networks of the fleet: of every `gitwall_networks`, wherever it stands. A name defined twice is a mistake. */
export function readNetworks(
  variableMaps: readonly Node[],
  problems: Problem[],
): ReadonlyMap<string, NetworkDocument> {
  const networks = new Map<string, NetworkDocument>()
  const zones = new Map<number, Source>()
  for (const node of new Set(variableMaps.flatMap((variables) => child(variables, 'gitwall_networks') ?? [])))
    for (const entry of entriesOf(node)) {
      const first = networks.get(entry.key)
      // Written once and aliased or merged elsewhere: the same place.
      if (first?.source === entry.at) continue
      if (first !== undefined) failTwice(problems, 'network', entry.key, entry.at, first.source)
      else networks.set(entry.key, readNetwork(entry, zones, problems))
    }
  return networks
}

function readNetwork(entry: Entry, zones: Map<number, Source>, problems: Problem[]): NetworkDocument {
  const subnets = itemsOf(child(entry.value, 'subnets')).flatMap((node) => readPrefix(node, problems) ?? [])
  const gateways = itemsOf(child(entry.value, 'gateways')).flatMap(
    (node) => readGateway(node, subnets, problems) ?? [],
  )
  const vlan = integerOf(child(entry.value, 'vlan'))
  const zone = integerOf(child(entry.value, 'zone'))
  if (zone !== undefined) claimZone(zone, child(entry.value, 'zone')?.at ?? entry.at, zones, problems)
  return {
    name: entry.key,
    ...(vlan === undefined ? {} : { vlan }),
    subnets,
    gateways,
    ...(zone === undefined ? {} : { zone }),
    source: entry.at,
  }
}

/** Inside the network, or link-local: an IPv6 router is known by such an address. */
function readGateway(node: Node, subnets: readonly Prefix[], problems: Problem[]): Address | undefined {
  const address = readAddress(node, problems)
  if (address === undefined || isInside(address, subnets)) return address
  const message = `gateway ${quote(address)} is in no subnet of the network (${quoteList(subnets)}): correct one of them`
  fail(problems, 'outside-network', node.at, message)
  return undefined
}

const linkLocalPrefix = parsePrefix('fe80::/10')

/** Link-local addresses belong to every network; a network without subnets of a family takes any address of it. */
export function isInside(address: Address, subnets: readonly Prefix[]): boolean {
  if (linkLocalPrefix !== undefined && contains(linkLocalPrefix, address)) return true
  return (
    subnets.length === 0 ||
    subnets.some((subnet) => familyOf(subnet) === familyOf(address) && contains(subnet, address))
  )
}

function claimZone(zone: number, at: Source, zones: Map<number, Source>, problems: Problem[]): void {
  const first = zones.get(zone)
  if (first === undefined) zones.set(zone, at)
  else failTwice(problems, 'zone', String(zone), at, first)
}
