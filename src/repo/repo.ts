import type { Mac } from '../net/mac.ts'
import type { PortRange } from '../net/port.ts'
import type { Address } from '../net/address.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Source } from './problem.ts'

/** A user's repository as it was read at one commit: well-formed, typed, with positions; names are not resolved yet. */
export interface Repo {
  readonly inventory: Inventory
  readonly networks: ReadonlyMap<string, NetworkDocument>
  readonly sets: ReadonlyMap<string, SetDocument>
  readonly services: ReadonlyMap<string, ServiceDocument>
  readonly firewalls: ReadonlyMap<string, FirewallDocument>
  readonly tests: readonly TestDocument[]
}

/** Hosts and groups as `ansible-inventory --list` would give them: ranges expanded, variables merged by Ansible's precedence. */
export interface Inventory {
  /** In the order of the file. Hypervisors and guests alike. */
  readonly hosts: ReadonlyMap<string, InventoryHost>
  /** Every group, `all` and `ungrouped` included → its direct and inherited member hosts. */
  readonly groups: ReadonlyMap<string, readonly string[]>
}

export interface InventoryHost {
  readonly name: string
  readonly source: Source
  /** What stands in the variable `gitwall`: a hypervisor has `bridges`, a guest has `host` and `nics`; others have none. */
  readonly role: HypervisorDocument | GuestDocument | { readonly kind: 'none' }
  readonly ansible: AnsibleConnection
}

/** The `ansible_*` variables that are honoured. Absent ones are left to `~/.ssh/config`. */
export interface AnsibleConnection {
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly privateKeyFile?: string
  readonly proxyJump?: string
  /** `ansible_become: true`: commands run under `sudo -n`. */
  readonly become: boolean
}

export interface HypervisorDocument {
  readonly kind: 'hypervisor'
  readonly bridges: readonly BridgeDocument[]
  /** Sources of SSH that no policy can shut out (`management:`). */
  readonly management: readonly Prefix[]
  readonly source: Source
}

export interface BridgeDocument {
  readonly name: string
  readonly datapath: 'ovs' | 'linux'
  /** Ports that lead out of the host. Empty: found on the host. */
  readonly uplinks: readonly string[]
  /** What happens to traffic of ports that no inventory NIC names. */
  readonly unmanaged: 'leave' | 'drop'
  readonly source: Source
}

export interface GuestDocument {
  readonly kind: 'guest'
  /** Inventory name of the hypervisor it runs on. */
  readonly host: string
  readonly nics: readonly NicDocument[]
  readonly source: Source
}

export interface NicDocument {
  readonly port: string
  readonly bridge: string
  readonly network: string
  readonly mac: Mac
  readonly addresses: readonly Address[]
  /** Further (MAC, prefix) pairs the NIC may use as a source. Without `mac` the NIC's own. */
  readonly pairs: readonly { readonly mac?: Mac; readonly prefix: Prefix }[]
  readonly antispoof: 'on' | 'off'
  readonly dhcpServer: boolean
  readonly routerAdvertisements: boolean
  readonly source: Source
}

export interface NetworkDocument {
  readonly name: string
  /** 802.1Q id on the uplinks, 1–4094; absent means untagged. */
  readonly vlan?: number
  readonly subnets: readonly Prefix[]
  readonly gateways: readonly Address[]
  /** Conntrack zone, 1–65535; absent means derived from the name. */
  readonly zone?: number
  readonly source: Source
}

export interface SetDocument {
  readonly name: string
  readonly include: readonly Prefix[]
  readonly exclude: readonly Prefix[]
  readonly source: Source
}

/** One line of a service: what a packet's protocol and ports must be. */
export type ServiceMatch =
  | { readonly protocol: 'any' }
  /** IP protocol number without ports, 0–255. */
  | { readonly protocol: 'number'; readonly number: number }
  /** No `ports` means every port. Ranges are merged and ascending. */
  | {
      readonly protocol: 'tcp' | 'udp' | 'sctp'
      readonly ports: readonly PortRange[]
      readonly sourcePorts: readonly PortRange[]
    }
  /** ICMP for IPv4, ICMPv6 for IPv6. No `type` means every type, no `code` every code. */
  | { readonly protocol: 'icmp' | 'icmp6'; readonly type?: number; readonly code?: number }

export interface ServiceDocument {
  readonly name: string
  readonly matches: readonly ServiceMatch[]
  /** Absent for a built-in service. */
  readonly source?: Source
}

export interface FirewallDocument {
  readonly name: string
  /** Host pattern of what it protects: guests, hypervisors, or both. */
  readonly protects: string
  /** Lower comes first. Default 100. */
  readonly order: number
  /** Absent: the document does not mention the direction. */
  readonly inbound?: readonly RuleDocument[]
  readonly outbound?: readonly RuleDocument[]
  readonly source: Source
  readonly protectsSource: Source
}

export interface RuleDocument {
  /** Unique in its firewall; made from the content when the user left it out. */
  readonly name: string
  readonly verdict: 'allow' | 'deny' | 'reject'
  /** Names of services, or literal ones such as `tcp/443`, already read. */
  readonly services: readonly ServiceMatch[]
  /** `from:` of an inbound rule, `to:` of an outbound one. */
  readonly peers: readonly PeerDocument[]
  readonly enabled: boolean
  readonly source: Source
}

/** Whom a rule speaks of, before names are resolved. `at` is the place of this very reference. */
export type PeerDocument = { readonly at: Source } & (
  | { readonly kind: 'any' }
  | { readonly kind: 'prefixes'; readonly prefixes: readonly Prefix[] }
  | { readonly kind: 'set' | 'group' | 'guest' | 'host'; readonly name: string }
)

export interface TestDocument {
  readonly name: string
  readonly from: PeerDocument
  readonly to: PeerDocument
  /** One protocol and, for tcp/udp/sctp, one port; for ICMP an optional type. */
  readonly service: ServiceMatch
  readonly expect: 'allow' | 'deny'
  readonly source: Source
}
