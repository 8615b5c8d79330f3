import type { Mac } from '../../net/mac.ts'
import type { Network, Nic } from '../../model/model.ts'
import { type Action, output, resubmit } from './action.ts'
import { type BridgePorts, macsOf } from './bridge-ports.ts'
import { type Flow, inTable } from './flow.ts'
import { type Port, local, named } from './port.ts'
import { purposes, tables } from './tables.ts'

/** Above what other writers use in table 0, such as the NORMAL flow of a new bridge with priority 0. */
const classifyPriority = { nic: 40200, other: 40100, unknown: 40000 } as const

/**
 * Where frames enter. A guest's go through its outbound checks; all others go by destination. What comes from a port that was
 * not there when this was made is dropped, so that a guest plugged in since is not open until the next run.
 */
export function classifyFlows(bridge: BridgePorts): readonly Flow[] {
  const flow = inTable(tables.classify)
  return [
    ...bridge.nics.map((nic) =>
      flow(classifyPriority.nic, { in_port: named(nic.port) }, [
        ...enter(nic),
        ...(nic.dhcpServer || !nic.antispoof ? [{ kind: 'offer-dhcp' } as const] : []),
        resubmit(tables.outBase),
      ]),
    ),
    ...othersOf(bridge).map((port) =>
      flow(classifyPriority.other, { in_port: port }, [resubmit(tables.arrive)]),
    ),
    inTable(tables.classify, purposes.unknownPort)(classifyPriority.unknown, {}, []),
  ]
}

/**
 * Frames from uplinks, LOCAL and unmanaged ports: to a guest only through its inbound checks, to the hypervisor by its MAC, else to
 * the other ports that belong to no guest. Never NORMAL: it floods what it has not learned to guests too, and frames that are
 * delivered by `output` teach it nothing. Open vSwitch leaves out the port a frame came from.
 */
export function arriveFlows(bridge: BridgePorts): readonly Flow[] {
  const flow = inTable(tables.arrive)
  const others = othersOf(bridge).map(output)
  return [
    // From a patch port or an internal port it may be tracked already, in a zone that is not ours.
    flow(400, { ct_state: '+trk' }, [{ kind: 'ct-clear' }, resubmit(tables.arrive)]),
    flow(390, { dl_dst: 'reserved' }, []),
    // A tag with VLAN id 0 carries a priority only: IEEE 802.1Q, 6.9.
    flow(380, { vlan: 0 }, [{ kind: 'pop-vlan' }, resubmit(tables.arrive)]),
    ...[...nicsByVlan(bridge)].flatMap(([vlan, nics]) => [
      ...[...claimantsByMac(nics)].map(([dl_dst, claimants]) =>
        flow(200, { vlan, dl_dst }, [...untag(vlan), ...claimants.flatMap(receive)]),
      ),
      flow(200, { vlan, dl_dst: 'group' }, [...others, ...untag(vlan), ...nics.flatMap(receive)]),
    ]),
    ...(bridge.localMac === undefined ? [] : [flow(150, { dl_dst: bridge.localMac }, [output(local)])]),
    flow(100, {}, others),
  ]
}

/** Frames that a sender's rules accepted, on their way to guests of the same network and bridge. */
export function deliverFlows(bridge: BridgePorts): readonly Flow[] {
  const flow = inTable(tables.deliver)
  // Same zone: what conntrack said on the way out holds on the way in, without another look.
  const receiveHere = (nic: Nic): readonly Action[] => [
    { kind: 'set-nic', port: named(nic.port) },
    resubmit(tables.inBase),
  ]
  return [
    ...bridge.networks.flatMap((network) => {
      const nics = bridge.nics.filter((nic) => nic.network.name === network.name)
      return [
        ...[...claimantsByMac(nics)].map(([dl_dst, claimants]) =>
          flow(200, { network: network.zone, dl_dst }, claimants.flatMap(receiveHere)),
        ),
        flow(200, { network: network.zone, dl_dst: 'group' }, [
          // The sender's own inbound rules are asked too: Open vSwitch sends nothing back to the port a frame came from.
          ...nics.flatMap(receiveHere),
          resubmit(tables.leave),
        ]),
      ]
    }),
    flow(100, {}, [resubmit(tables.leave)]),
  ]
}

/** Frames that leave for ports of no guest, tagged as their network is there. A new connection becomes known first. */
export function leaveFlows(bridge: BridgePorts): readonly Flow[] {
  const flow = inTable(tables.leave)
  const commit: readonly Action[] = [{ kind: 'commit' }, resubmit(tables.leave)]
  const away = [...bridge.uplinks, ...bridge.unmanaged].map((name) => output(named(name)))
  const toHost = bridge.localMac === undefined ? [output(local)] : []
  return [
    // Committing clears the state: the second pass does not come here again.
    flow(300, { ct_state: '+new+trk', protocol: 'ip' }, commit),
    flow(300, { ct_state: '+new+trk', protocol: 'ipv6' }, commit),
    ...bridge.networks.flatMap((network) => [
      ...(bridge.localMac === undefined
        ? []
        : [flow(200, { network: network.zone, dl_dst: bridge.localMac }, [...tag(network), output(local)])]),
      flow(200, { network: network.zone, dl_dst: 'group' }, [...tag(network), ...away, output(local)]),
      flow(100, { network: network.zone }, [...tag(network), ...away, ...toHost]),
    ]),
  ]
}

/** Ports of no guest that take part, LOCAL last. */
function othersOf(bridge: BridgePorts): readonly Port[] {
  return [...[...bridge.uplinks, ...bridge.unmanaged].map(named), local]
}

/** Puts a NIC and its network into focus. */
function enter(nic: Nic): readonly Action[] {
  return [
    { kind: 'set-nic', port: named(nic.port) },
    { kind: 'set-network', network: nic.network.zone },
  ]
}

function receive(nic: Nic): readonly Action[] {
  return [...enter(nic), resubmit(tables.inBase)]
}

function tag(network: Network): readonly Action[] {
  return network.vlan === undefined ? [] : [{ kind: 'push-vlan' }, { kind: 'set-vlan', vlan: network.vlan }]
}

function untag(vlan: number | 'untagged'): readonly Action[] {
  return vlan === 'untagged' ? [] : [{ kind: 'pop-vlan' }]
}

/** Networks of the same VLAN share the wire, whatever their names. */
function nicsByVlan(bridge: BridgePorts): ReadonlyMap<number | 'untagged', readonly Nic[]> {
  return groupBy(bridge.nics, (nic) => [nic.network.vlan ?? 'untagged'])
}

/** More than one NIC where a floating MAC (VRRP) may be at any of them: each gets the frame, through its own rules. */
function claimantsByMac(nics: readonly Nic[]): ReadonlyMap<Mac, readonly Nic[]> {
  return groupBy(nics, macsOf)
}

function groupBy<Key>(
  nics: readonly Nic[],
  keysOf: (nic: Nic) => readonly Key[],
): ReadonlyMap<Key, readonly Nic[]> {
  const groups = new Map<Key, Nic[]>()
  for (const nic of nics)
    for (const key of keysOf(nic)) {
      const known = groups.get(key)
      if (known === undefined) groups.set(key, [nic])
      else known.push(nic)
    }
  return groups
}
