import { type Mac, isGroupMac } from '../../net/mac.ts'
import type { Bridge, HostModel, Network, Nic } from '../../model/model.ts'
import type { HostFacts } from '../facts.ts'

/** What stands at an Open vSwitch bridge of ours, by name, ascending. Ports that are not there are left out. */
export interface BridgePorts {
  readonly name: string
  readonly nics: readonly Nic[]
  /** Networks of `nics`, each once, by name. */
  readonly networks: readonly Network[]
  readonly uplinks: readonly string[]
  /** Ports of neither a guest nor the outside that take part all the same; none where the bridge says `unmanaged: drop`. */
  readonly unmanaged: readonly string[]
  /** Of the bridge's own port; absent when the host does not tell. */
  readonly localMac?: Mac
}

/** Our bridges of a host, as far as they are there. */
export function bridgesOf(host: HostModel, facts: HostFacts): readonly BridgePorts[] {
  return host.bridges
    .filter((bridge) => bridge.datapath === 'ovs' && facts.ovsBridges.has(bridge.name))
    .map((bridge) => portsOfBridge(bridge, host, facts))
}

function portsOfBridge(bridge: Bridge, host: HostModel, facts: HostFacts): BridgePorts {
  const isThere = (port: string) => facts.ovsPorts.get(port)?.bridge === bridge.name
  const nics = host.nics.filter((nic) => nic.bridge === bridge.name && isThere(nic.port))
  const nicNames = new Set(host.nics.map((nic) => nic.port))
  const others = [...facts.ovsPorts]
    .filter(([name]) => isThere(name) && name !== bridge.name && !nicNames.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const uplinks = others
    .filter(([name, { type }]) =>
      bridge.uplinks.length > 0 ? bridge.uplinks.includes(name) : leadsOutside(name, type),
    )
    .map(([name]) => name)
  const localMac = facts.ovsPorts.get(bridge.name)?.mac
  return {
    name: bridge.name,
    nics,
    networks: networksOf(nics),
    uplinks,
    unmanaged:
      bridge.unmanaged === 'drop'
        ? []
        : others.map(([name]) => name).filter((name) => !uplinks.includes(name)),
    ...(localMac === undefined ? {} : { localMac }),
  }
}

/** Interface types of ovs-vswitchd.conf.db(5) behind which other machines may be. `internal` is the hypervisor's own. */
const outsideTypes = new Set([
  '',
  'system',
  'patch',
  'dpdk',
  'vxlan',
  'geneve',
  'gre',
  'stt',
  'erspan',
  'lisp',
])

/** How QEMU, libvirt, Proxmox VE, OpenStack, Xen, LXC and systemd-nspawn name the host's end of a guest's interface. */
const guestName = /^(tap|vnet|veth|fwln|fwpr|qvo|qvb|vif|vhu|lxc|ve-|vb-)/

/** Is a port that no inventory names an uplink, where the bridge declares none? */
function leadsOutside(name: string, type: string): boolean {
  return outsideTypes.has(type) && !guestName.test(name)
}

function networksOf(nics: readonly Nic[]): readonly Network[] {
  const byName = new Map(nics.map((nic) => [nic.network.name, nic.network]))
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** MACs that a NIC answers to: its own, and those of its further pairs. */
export function macsOf(nic: Nic): readonly Mac[] {
  const macs = [nic.mac, ...nic.sources.map((source) => source.mac)]
  return [...new Set(macs)].filter((mac) => !isGroupMac(mac))
}
