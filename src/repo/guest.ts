import type { Mac } from '../net/mac.ts'
import { type Prefix, contains, prefixBits } from '../net/prefix.ts'
import type { Address } from '../net/address.ts'
import { readAddress, readMac, readPrefix } from './address-text.ts'
import { fail, failUnknown } from './collect.ts'
import { isInside } from './networks.ts'
import { type Problem, type Source, formatSource } from './problem.ts'
import { quote, quoteList } from './quote.ts'
import type { GuestDocument, HypervisorDocument, NetworkDocument, NicDocument } from './repo.ts'
import { type Entry, type Node, child, itemsOf, textOf } from './yaml-node.ts'

/** What guests refer to, and what they have claimed so far. */
export interface Fleet {
  readonly hypervisors: ReadonlyMap<string, HypervisorDocument>
  /** Every host of the inventory. */
  readonly hosts: ReadonlySet<string>
  readonly networks: ReadonlyMap<string, NetworkDocument>
  /** `port tap1 on "hv-1"` → who has it. Each may be had once. */
  readonly claims: Map<string, { readonly guest: string; readonly at: Source }>
}

/** Reads the variable `gitwall` of a guest. Its shape has been checked against the schema; here its references are. */
export function readGuest(
  name: string,
  role: Entry,
  fleet: Fleet,
  problems: Problem[],
): GuestDocument | undefined {
  const hostNode = child(role.value, 'host')
  const host = textOf(hostNode)
  for (const key of ['host', 'nics'])
    if (child(role.value, key) === undefined)
      fail(problems, 'missing-key', role.at, `guest ${quote(name)} has no "${key}": add it`)
  if (hostNode === undefined || host === undefined) return undefined
  const hypervisor = fleet.hypervisors.get(host)
  if (hypervisor === undefined) failHost(host, hostNode.at, fleet, problems)
  const nics = itemsOf(child(role.value, 'nics')).flatMap(
    (node) => readNic({ node, guest: name, host, hypervisor }, fleet, problems) ?? [],
  )
  return { kind: 'guest', host, nics, source: role.at }
}

interface NicContext {
  readonly node: Node
  readonly guest: string
  readonly host: string
  readonly hypervisor: HypervisorDocument | undefined
}

function failHost(host: string, at: Source, fleet: Fleet, problems: Problem[]): void {
  if (fleet.hosts.has(host))
    return fail(problems, 'not-a-hypervisor', at, `host ${quote(host)} has no "bridges": name a hypervisor`)
  const known = fleet.hypervisors.keys()
  failUnknown(problems, {
    what: 'host',
    name: host,
    at,
    known,
    otherwise: 'add it to the inventory, or correct the name',
  })
}

function readNic(context: NicContext, fleet: Fleet, problems: Problem[]): NicDocument | undefined {
  const { node, guest, host } = context
  const portNode = child(node, 'port')
  const port = textOf(portNode)
  const bridge = readBridge(context, problems)
  const network = readNetworkName(child(node, 'network'), fleet, problems)
  const macNode = child(node, 'mac')
  const mac = macNode && readMac(macNode, problems)
  if (portNode === undefined || port === undefined || macNode === undefined) return undefined
  claim(`port ${quote(port)} on host ${quote(host)}`, guest, portNode.at, fleet, problems)
  const uplink = context.hypervisor?.bridges.find((one) => one.uplinks.includes(port))
  if (uplink !== undefined)
    fail(
      problems,
      'port-is-uplink',
      portNode.at,
      `port ${quote(port)} is an uplink of ${quote(uplink.name)}: name another`,
    )
  const networkDocument = network === undefined ? undefined : fleet.networks.get(network)
  const addresses = itemsOf(child(node, 'addresses')).flatMap(
    (one) => readNicAddress(one, guest, networkDocument, fleet, problems) ?? [],
  )
  const pairs = itemsOf(child(node, 'pairs')).flatMap((one) => readPair(one, networkDocument, problems) ?? [])
  if (bridge === undefined || network === undefined || mac === undefined) return undefined
  claim(`MAC "${mac}" in network ${quote(network)}`, guest, macNode.at, fleet, problems)
  return {
    port,
    bridge,
    network,
    mac,
    addresses,
    pairs,
    antispoof: isOff(child(node, 'antispoof')) ? 'off' : 'on',
    dhcpServer: isTrue(child(node, 'dhcp_server')),
    routerAdvertisements: isTrue(child(node, 'router_advertisements')),
    source: node.at,
  }
}

function readBridge({ node, hypervisor, host }: NicContext, problems: Problem[]): string | undefined {
  const bridgeNode = child(node, 'bridge')
  const bridge = textOf(bridgeNode)
  if (bridgeNode === undefined || bridge === undefined) return undefined
  const known = hypervisor?.bridges.map((one) => one.name)
  if (known !== undefined && !known.includes(bridge)) {
    const otherwise = `host ${quote(host)} has ${known.length === 0 ? 'none' : quoteList(known)}`
    failUnknown(problems, { what: 'bridge', name: bridge, at: bridgeNode.at, known, otherwise })
  }
  return bridge
}

function readNetworkName(node: Node | undefined, fleet: Fleet, problems: Problem[]): string | undefined {
  const name = textOf(node)
  if (node === undefined || name === undefined || fleet.networks.has(name)) return name
  const otherwise = 'define it in "gitwall_networks"'
  failUnknown(problems, { what: 'network', name, at: node.at, known: fleet.networks.keys(), otherwise })
  return name
}

function readNicAddress(
  node: Node,
  guest: string,
  network: NetworkDocument | undefined,
  fleet: Fleet,
  problems: Problem[],
): Address | undefined {
  const address = readAddress(node, problems)
  if (address === undefined || network === undefined) return address
  if (network.gateways.includes(address))
    fail(
      problems,
      'gateway-address',
      node.at,
      `${quote(address)} is a gateway of network ${quote(network.name)}: ${stolen}`,
    )
  else if (!isInside(address, network.subnets)) {
    const subnets = quoteList(network.subnets)
    const message = `${quote(address)} is in no subnet of network ${quote(network.name)} (${subnets}): correct it, or use "pairs"`
    fail(problems, 'outside-network', node.at, message)
  } else claim(`address "${address}" in network ${quote(network.name)}`, guest, node.at, fleet, problems)
  return address
}

const stolen = 'a guest that has it could take over the traffic of all'

function readPair(
  node: Node,
  network: NetworkDocument | undefined,
  problems: Problem[],
): { readonly mac?: Mac; readonly prefix: Prefix } | undefined {
  const prefixNode = child(node, 'prefix')
  const macNode = child(node, 'mac')
  const prefix = prefixNode && readPrefix(prefixNode, problems)
  const mac = macNode && readMac(macNode, problems)
  if (prefixNode === undefined || prefix === undefined || (macNode !== undefined && mac === undefined))
    return undefined
  const gateway = network?.gateways.find((one) => contains(prefix, one))
  if (prefixBits(prefix) === 0)
    fail(
      problems,
      'pair-too-wide',
      prefixNode.at,
      `pair ${quote(prefix)} is any source: write "antispoof: off" if you mean that`,
    )
  else if (gateway !== undefined)
    fail(
      problems,
      'gateway-address',
      prefixNode.at,
      `pair ${quote(prefix)} holds the gateway "${gateway}": ${stolen}`,
    )
  return mac === undefined ? { prefix } : { mac, prefix }
}

function claim(what: string, guest: string, at: Source, fleet: Fleet, problems: Problem[]): void {
  const first = fleet.claims.get(what)
  if (first === undefined) fleet.claims.set(what, { guest, at })
  else {
    const owner = `${quote(first.guest)} (${formatSource(first.at)})`
    fail(
      problems,
      'claimed-twice',
      at,
      `${what} of guest ${quote(guest)} is that of ${owner} already: correct one of them`,
    )
  }
}

function isOff(node: Node | undefined): boolean {
  return node?.kind === 'scalar' && (node.value === 'off' || node.value === false)
}

function isTrue(node: Node | undefined): boolean {
  return node?.kind === 'scalar' && node.value === true
}
