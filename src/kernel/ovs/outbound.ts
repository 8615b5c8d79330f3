import { type Family, familyOf } from '../../net/address.ts'
import type { Mac } from '../../net/mac.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { Nic, SourcePair } from '../../model/model.ts'
import { type Action, resubmit } from './action.ts'
import { type BridgePorts, macsOf } from './bridge-ports.ts'
import { type Flow, inTable } from './flow.ts'
import { type Match, addressIn } from './match.ts'
import { named } from './port.ts'
import {
  dhcp6Reply,
  dhcp6Request,
  dhcpReply,
  dhcpRequest,
  icmp6,
  icmp6Types,
  linkLocalPrefix,
  neighbour,
  noOption,
  unspecified4,
  unspecified6,
} from './packets.ts'
import { stateFlows } from './state-flows.ts'
import { purposes, tables } from './tables.ts'

/**
 * What a guest sends, before anything else is asked: everything it claims must be its own. Claims of one kind of packet (sender
 * of ARP, link-layer options of neighbour discovery, offering DHCP) are checked here; then `outNeighbour`, then `outSource`
 * see to the addresses, so that flows are the sum of a NIC's claims and not their product.
 */
export function outBaseFlows(bridge: BridgePorts): readonly Flow[] {
  const flow = inTable(tables.outBase)
  const spoofed = inTable(tables.outBase, purposes.spoofed)
  const unoffered = inTable(tables.outBase, purposes.unoffered)
  const toNeighbour = [resubmit(tables.outNeighbour)]
  const toSource = [resubmit(tables.outSource)]
  const solicitation = neighbour(icmp6Types.neighbourSolicitation)
  const advertisement = neighbour(icmp6Types.neighbourAdvertisement)
  return [
    // From a guest behind an internal port it may be tracked already, in a zone that is not ours.
    flow(400, { ct_state: '+trk' }, [{ kind: 'ct-clear' }, resubmit(tables.outBase)]),
    spoofed(390, { vlan: 'tagged' }, []),
    spoofed(390, { dl_dst: 'reserved' }, []),
    ...bridge.nics.flatMap((nic) => (nic.antispoof ? ownBaseFlows(nic) : [trusted(nic)])),
    unoffered(300, { offersDhcp: false, ...dhcpReply }, []),
    unoffered(300, { offersDhcp: false, ...dhcp6Reply }, []),
    unoffered(300, icmp6(icmp6Types.routerAdvertisement), []),
    unoffered(300, icmp6(icmp6Types.redirect), []),
    // Duplicate address detection has no option: RFC 4861, 4.3.
    flow(290, { ...solicitation, ipv6_src: unspecified6, nd_sll: noOption }, toNeighbour),
    spoofed(285, { ...icmp6(icmp6Types.neighbourSolicitation), ipv6_src: unspecified6 }, []),
    flow(280, { ...solicitation, nd_sll: noOption }, toSource),
    flow(280, { ...advertisement, nd_tll: noOption }, toNeighbour),
    flow(280, neighbour(icmp6Types.routerSolicitation), toSource),
    ...icmp6Types.listenerReports.map((type) =>
      flow(280, { ...icmp6(type), ipv6_src: unspecified6 }, toSource),
    ),
    spoofed(270, icmp6(icmp6Types.neighbourSolicitation), []),
    spoofed(270, icmp6(icmp6Types.neighbourAdvertisement), []),
    spoofed(270, icmp6(icmp6Types.routerSolicitation), []),
    spoofed(250, { protocol: 'ipv6', ipv6_src: unspecified6 }, []),
    flow(100, { protocol: 'ip' }, toSource),
    flow(100, { protocol: 'ipv6' }, toSource),
    // Other types of frames, and ARP with claims that are not the sender's.
    spoofed(0, {}, []),
  ]
}

/** `antispoof: off`: nothing but tags and reserved MACs is looked at. */
function trusted(nic: Nic): Flow {
  return inTable(tables.outBase)(380, { nic: named(nic.port) }, [resubmit(tables.outTrack)])
}

function ownBaseFlows(nic: Nic): readonly Flow[] {
  const flow = inTable(tables.outBase)
  const own = { nic: named(nic.port) }
  const toSource = [resubmit(tables.outSource)]
  const toTrack = [resubmit(tables.outTrack)]
  return [
    ...(nic.routerAdvertisements
      ? [icmp6Types.routerAdvertisement, icmp6Types.redirect].map((type) =>
          flow(310, { ...own, ...neighbour(type) }, toSource),
        )
      : []),
    ...macsOf(nic).map((mac) =>
      // Hypervisors send these for a guest that has just moved in: QEMU, net/announce.c.
      flow(200, { ...own, protocol: 'rarp', dl_src: mac, arp_sha: mac }, toTrack),
    ),
    ...macsOfFamily(nic, 4).map((mac) =>
      // Probe for a duplicate address: RFC 5227, 2.1.1.
      flow(
        200,
        { ...own, protocol: 'arp', dl_src: mac, arp_sha: mac, arp_op: 1, arp_spa: unspecified4 },
        toTrack,
      ),
    ),
    ...pairsOf(nic, 4).map(({ mac, prefix }) =>
      flow(200, { ...own, protocol: 'arp', dl_src: mac, arp_sha: mac, ...senderIn(prefix) }, toTrack),
    ),
    ...macsOfFamily(nic, 6).flatMap((mac) => [
      flow(
        280,
        { ...own, ...neighbour(icmp6Types.neighbourSolicitation), dl_src: mac, nd_sll: mac },
        toSource,
      ),
      flow(280, { ...own, ...neighbour(icmp6Types.neighbourAdvertisement), dl_src: mac, nd_tll: mac }, [
        resubmit(tables.outNeighbour),
      ]),
    ]),
  ]
}

/** Neighbour advertisements, and solicitations from `::`, speak for their target: it must be the sender's. */
export function outNeighbourFlows(bridge: BridgePorts): readonly Flow[] {
  const flow = inTable(tables.outNeighbour)
  const checked = bridge.nics.filter((nic) => nic.antispoof)
  return [
    ...checked.flatMap((nic) =>
      pairsOf(nic, 6).flatMap(({ mac, prefix }) =>
        [icmp6Types.neighbourSolicitation, icmp6Types.neighbourAdvertisement].map((type) =>
          flow(200, { nic: named(nic.port), ...neighbour(type), dl_src: mac, ...targetIn(prefix) }, [
            resubmit(tables.outSource),
          ]),
        ),
      ),
    ),
    inTable(tables.outNeighbour, purposes.spoofed)(0, {}, []),
  ]
}

/** Pairs of source MAC and source address. An unspecified address passes where `outBase` let it through, and for DHCP. */
export function outSourceFlows(bridge: BridgePorts): readonly Flow[] {
  const flow = inTable(tables.outSource)
  const toTrack = [resubmit(tables.outTrack)]
  const checked = bridge.nics.filter((nic) => nic.antispoof)
  return [
    ...checked.flatMap((nic) => {
      const own = { nic: named(nic.port) }
      return [
        ...pairsOf(nic, 4).map(({ mac, prefix }) =>
          flow(200, { ...own, protocol: 'ip', dl_src: mac, ...addressIn('nw_src', prefix) }, toTrack),
        ),
        ...macsOfFamily(nic, 4).map((mac) =>
          flow(200, { ...own, ...dhcpRequest, dl_src: mac, nw_src: unspecified4 }, toTrack),
        ),
        ...pairsOf(nic, 6).map(({ mac, prefix }) =>
          flow(200, { ...own, protocol: 'ipv6', dl_src: mac, ...addressIn('ipv6_src', prefix) }, toTrack),
        ),
        ...macsOfFamily(nic, 6).map((mac) =>
          flow(200, { ...own, protocol: 'ipv6', dl_src: mac, ipv6_src: unspecified6 }, toTrack),
        ),
      ]
    }),
    inTable(tables.outSource, purposes.spoofed)(0, {}, []),
  ]
}

/**
 * Neighbour discovery, multicast listener reports, ARP and a DHCP client's requests need no rule and no conntrack, which calls
 * the first two invalid. All other IP is looked up in the network's zone.
 */
export function outTrackFlows(): readonly Flow[] {
  const flow = inTable(tables.outTrack)
  const toDeliver = [resubmit(tables.deliver)]
  const toState: readonly Action[] = [{ kind: 'track', table: tables.outState }]
  return [
    ...[
      ...icmp6Types.listenerReports,
      icmp6Types.routerSolicitation,
      icmp6Types.routerAdvertisement,
      icmp6Types.neighbourSolicitation,
      icmp6Types.neighbourAdvertisement,
      icmp6Types.redirect,
    ].map((type) => flow(200, icmp6(type), toDeliver)),
    flow(200, dhcpRequest, toDeliver),
    flow(200, { ...dhcp6Request, ipv6_src: linkLocalPrefix }, toDeliver),
    flow(100, { protocol: 'ip' }, toState),
    flow(100, { protocol: 'ipv6' }, toState),
    flow(0, {}, toDeliver),
  ]
}

/** What conntrack said of a packet that a guest sends, and what only shows when its fragments are together. */
export function outStateFlows(bridge: BridgePorts): readonly Flow[] {
  const flow = inTable(tables.outState)
  const toDeliver = [resubmit(tables.deliver)]
  const unfiltered = bridge.nics.filter((nic) => nic.outbound.kind === 'unfiltered')
  return [
    ...guardsAgainstFragments(),
    ...unfiltered.map((nic) => flow(310, { nic: named(nic.port) }, toDeliver)),
    ...stateFlows(tables.outState, toDeliver),
    flow(0, {}, [resubmit(tables.outMembers)]),
  ]
}

/**
 * `outBase` sees no transport header in a fragment. Behind `ct` the datapath of the kernel shows the packet as a whole;
 * neighbour discovery in fragments, which RFC 6980 forbids, is invalid to conntrack in either datapath. Not covered: DHCP
 * replies in fragments through the userspace datapath, which goes on with the fragments.
 */
function guardsAgainstFragments(): readonly Flow[] {
  const unoffered = inTable(tables.outState, purposes.unoffered)
  return [
    unoffered(330, { offersDhcp: false, ...dhcpReply }, []),
    unoffered(330, { offersDhcp: false, ...dhcp6Reply }, []),
    inTable(tables.outState, purposes.invalid)(320, { ct_state: '+inv+trk', protocol: 'icmp6' }, []),
  ]
}

function pairsOf(nic: Nic, family: Family): readonly SourcePair[] {
  const macs = macsOf(nic)
  return nic.sources.filter((pair) => familyOf(pair.prefix) === family && macs.includes(pair.mac))
}

function macsOfFamily(nic: Nic, family: Family): readonly Mac[] {
  return [...new Set(pairsOf(nic, family).map((pair) => pair.mac))]
}

function senderIn(prefix: Prefix): Match {
  return prefix.endsWith('/0') ? {} : { arp_spa: prefix }
}

function targetIn(prefix: Prefix): Match {
  return prefix.endsWith('/0') ? {} : { nd_target: prefix }
}
