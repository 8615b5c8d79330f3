import { type Action, resubmit } from './action.ts'
import type { BridgePorts } from './bridge-ports.ts'
import { type Flow, inTable } from './flow.ts'
import type { Match } from './match.ts'
import { dhcp6Reply, dhcpReply, icmp6Types, neighbour } from './packets.ts'
import { named } from './port.ts'
import { stateFlows } from './state-flows.ts'
import { purposes, tables } from './tables.ts'

/**
 * What a guest gets, before its rules are asked: ARP, neighbour discovery and what a DHCP server answers need no rule. Whatever
 * a guest of this bridge sent comes here already tracked, and needs no second look.
 */
export function inBaseFlows(bridge: BridgePorts): readonly Flow[] {
  const flow = inTable(tables.inBase)
  const toGuest: readonly Action[] = [{ kind: 'output-nic' }]
  const toState: readonly Action[] = [{ kind: 'track', table: tables.inState }]
  const routers = bridge.nics.filter((nic) => nic.routerAdvertisements)
  return [
    inTable(tables.inBase, purposes.spoofed)(390, { vlan: 'tagged' }, []),
    flow(200, { protocol: 'arp' }, toGuest),
    flow(200, { protocol: 'rarp' }, toGuest),
    ...toEveryGuest.map((match) => flow(200, match, toGuest)),
    ...routers.map((nic) =>
      flow(200, { nic: named(nic.port), ...neighbour(icmp6Types.routerSolicitation) }, toGuest),
    ),
    flow(150, { ct_state: '+trk' }, [resubmit(tables.inState)]),
    flow(100, { protocol: 'ip' }, toState),
    flow(100, { protocol: 'ipv6' }, toState),
    inTable(tables.inBase, purposes.spoofed)(0, {}, []),
  ]
}

const toEveryGuest: readonly Match[] = [
  neighbour(icmp6Types.neighbourSolicitation),
  neighbour(icmp6Types.neighbourAdvertisement),
  neighbour(icmp6Types.routerAdvertisement),
  { protocol: 'icmp6', icmp_type: icmp6Types.listenerQuery },
  dhcpReply,
  dhcp6Reply,
]

/** What conntrack said of a packet to a guest. */
export function inStateFlows(bridge: BridgePorts): readonly Flow[] {
  const flow = inTable(tables.inState)
  const accept = [resubmit(tables.inAccept)]
  const unfiltered = bridge.nics.filter((nic) => nic.inbound.kind === 'unfiltered')
  return [
    ...unfiltered.map((nic) => flow(310, { nic: named(nic.port) }, accept)),
    ...stateFlows(tables.inState, accept),
    flow(0, {}, [resubmit(tables.inMembers)]),
  ]
}

/**
 * To the guest. A new connection becomes known only here, where both ends have accepted it. Committing without a table costs no
 * recirculation.
 */
export function inAcceptFlows(): readonly Flow[] {
  const flow = inTable(tables.inAccept)
  const commit: readonly Action[] = [{ kind: 'commit' }, { kind: 'output-nic' }]
  return [
    flow(200, { ct_state: '+new+trk', protocol: 'ip' }, commit),
    flow(200, { ct_state: '+new+trk', protocol: 'ipv6' }, commit),
    flow(0, {}, [{ kind: 'output-nic' }]),
  ]
}
