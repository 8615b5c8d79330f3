import type {
  GuestDocument,
  HypervisorDocument,
  InventoryHost,
  NetworkDocument,
  Repo,
} from '../src/repo/repo.ts'
import { type Address, addressBits, addressValue, familyOf, formatAddress } from '../src/net/address.ts'
import { type Prefix, contains, prefixAddress, prefixBits } from '../src/net/prefix.ts'

/** What a lab shall hold. Addresses with a length (`10.0.0.11/24`) are put on an interface, those without are pointed at. */
export interface LabPlan {
  /** Begins the names of the lab's namespaces. Made from the process id when absent. */
  readonly prefix?: string
  readonly hosts: readonly LabHostPlan[]
  readonly guests: readonly LabGuestPlan[]
  /** What the outside node has on the fabric, with lengths: the gateways of the guests. */
  readonly gateways: readonly string[]
  /** What else it answers for, without lengths. Default `outsideAddresses`. */
  readonly outsideAddresses?: readonly string[]
}

/** A hypervisor. */
export interface LabHostPlan {
  readonly name: string
  /** Where its sshd listens, in 192.0.2.0/24. */
  readonly address: string
  readonly bridges: readonly LabBridgePlan[]
  /** Which of the two programs `iptables` is on this host. Default what the machine has. See xtables-nft(8). */
  readonly iptables?: 'nft' | 'legacy'
  /** Names of programs that this host shall not have (`ipset`). */
  readonly without?: readonly string[]
}

export interface LabBridgePlan {
  readonly name: string
  readonly datapath: 'ovs' | 'linux'
  /** Its veth into the fabric. */
  readonly uplink: string
  /** The hypervisor's own on this bridge, with lengths. */
  readonly addresses: readonly string[]
  readonly gateways: readonly string[]
}

export interface LabGuestPlan {
  readonly name: string
  readonly host: string
  /** The first is `eth0`, and has the default routes. */
  readonly nics: readonly LabNicPlan[]
}

export interface LabNicPlan {
  readonly port: string
  readonly bridge: string
  readonly mac: string
  /** With lengths. */
  readonly addresses: readonly string[]
  readonly gateways: readonly string[]
}

/** Sources on "the internet", from the documentation ranges of RFC 5737 and RFC 3849. */
export const outsideAddresses: readonly string[] = [
  '203.0.113.9',
  '203.0.113.50',
  '198.51.100.10',
  '198.51.100.66',
  '2001:db8:ff::9',
  '2001:db8:fe::10',
]

/** The lab that a repository's inventory describes. Throws on what a lab cannot be: it has one flat fabric and no VLANs. */
export function labPlanOf(repo: Repo): LabPlan {
  const inventory = [...repo.inventory.hosts.values()]
  const hypervisors = inventory.flatMap((host) =>
    host.role.kind === 'hypervisor' ? [{ host, role: host.role }] : [],
  )
  const guests = inventory.flatMap((host) => (host.role.kind === 'guest' ? [{ host, role: host.role }] : []))
  const networks = [...repo.networks.values()]
  const vlan = networks.find((network) => network.vlan !== undefined)
  if (vlan !== undefined)
    throw new Error(`network "${vlan.name}": the lab's fabric has no VLANs: take "vlan" out`)
  return {
    hosts: hypervisors.map(({ host, role }, index) => hostPlan(host, role, index, guests, repo.networks)),
    guests: guests.map(({ host, role }) => guestPlan(host.name, role, repo.networks)),
    gateways: networks.flatMap((network) => network.gateways.map((gateway) => withLength(gateway, network))),
  }
}

function hostPlan(
  host: InventoryHost,
  role: HypervisorDocument,
  index: number,
  guests: readonly { readonly role: GuestDocument }[],
  networks: ReadonlyMap<string, NetworkDocument>,
): LabHostPlan {
  if (host.ansible.host === undefined) throw new Error(`host "${host.name}": the lab needs its ansible_host`)
  const nics = guests.flatMap((guest) => (guest.role.host === host.name ? guest.role.nics : []))
  return {
    name: host.name,
    address: host.ansible.host,
    bridges: role.bridges.map((bridge, position) => {
      const nic = nics.find((candidate) => candidate.bridge === bridge.name)
      const network = nic && networkNamed(nic.network, networks)
      return {
        name: bridge.name,
        datapath: bridge.datapath,
        uplink: bridge.uplinks[0] ?? `uplink${position}`,
        addresses: (network?.subnets ?? []).map((subnet) => hypervisorAddress(subnet, index)),
        gateways: network?.gateways ?? [],
      }
    }),
  }
}

/** The hypervisors live at the end of the first 255 addresses of a subnet: 254, 253, … */
function hypervisorAddress(subnet: Prefix, index: number): string {
  const value = addressValue(prefixAddress(subnet)) + 254n - BigInt(index)
  const address = formatAddress(value, familyOf(subnet))
  if (!contains(subnet, address))
    throw new Error(`subnet "${subnet}": too small for the lab: take a /24 or larger`)
  return `${address}/${prefixBits(subnet)}`
}

function guestPlan(
  name: string,
  role: GuestDocument,
  networks: ReadonlyMap<string, NetworkDocument>,
): LabGuestPlan {
  return {
    name,
    host: role.host,
    nics: role.nics.map((nic) => {
      const network = networkNamed(nic.network, networks)
      return {
        port: nic.port,
        bridge: nic.bridge,
        mac: nic.mac,
        addresses: nic.addresses.map((address) => withLength(address, network)),
        gateways: network.gateways,
      }
    }),
  }
}

function networkNamed(name: string, networks: ReadonlyMap<string, NetworkDocument>): NetworkDocument {
  const network = networks.get(name)
  if (network === undefined) throw new Error(`network "${name}": not in gitwall_networks: add it`)
  return network
}

function withLength(address: Address, network: NetworkDocument): string {
  const subnet = network.subnets.find((candidate) => contains(candidate, address))
  return `${address}/${subnet === undefined ? addressBits(familyOf(address)) : prefixBits(subnet)}`
}
