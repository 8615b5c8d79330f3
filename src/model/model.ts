import type { Address } from '../net/address.ts'
import type { Mac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Source } from '../repo/problem.ts'
import type { AnsibleConnection, ServiceMatch } from '../repo/repo.ts'

/** Twelve hex digits: a hash of firewall, direction and rule name. It travels to the host (flow cookie, rule comment). */
export type RuleId = string & { readonly __brand: 'RuleId' }

/** The fleet with every name resolved. The only input of the kinds, so that all of them mean the same. */
export interface Model {
  /** By name, ascending. */
  readonly hosts: readonly HostModel[]
  readonly rules: ReadonlyMap<RuleId, RuleOrigin>
}

/** Where a rule comes from, for people. */
export interface RuleOrigin {
  readonly firewall: string
  readonly direction: Direction
  readonly name: string
  readonly source: Source
}

export type Direction = 'inbound' | 'outbound'

/** Everything one hypervisor should enforce. */
export interface HostModel {
  readonly name: string
  readonly connection: AnsibleConnection
  readonly bridges: readonly Bridge[]
  /** NICs of the guests that run here, by port name, ascending. */
  readonly nics: readonly Nic[]
  /** The hypervisor's own firewall. A direction that no firewall mentions is unfiltered. */
  readonly own: { readonly inbound: Ruleset; readonly outbound: Ruleset }
  /** Sources whose SSH to this host no policy can shut out. Aggregated. */
  readonly management: readonly Prefix[]
  /** Every list that a rule of this host names as its peer, each once, by name. */
  readonly lists: readonly AddressList[]
}

export interface Bridge {
  readonly name: string
  readonly datapath: 'ovs' | 'linux'
  /** Port names; empty means: every physical or fabric port found there, see `HostFacts`. */
  readonly uplinks: readonly string[]
  readonly unmanaged: 'leave' | 'drop'
}

/** A guest's interface: the port on the host behind which it sits, and what may pass there. */
export interface Nic {
  readonly guest: string
  /** Interface name on the host: at most 15 characters of `[A-Za-z0-9_.-]`. */
  readonly port: string
  readonly bridge: string
  readonly network: Network
  readonly mac: Mac
  readonly addresses: readonly Address[]
  readonly antispoof: boolean
  /** What the guest may use as its source: its own MAC with its addresses and its link-local one, and the declared pairs. */
  readonly sources: readonly SourcePair[]
  readonly dhcpServer: boolean
  readonly routerAdvertisements: boolean
  readonly inbound: Ruleset
  readonly outbound: Ruleset
}

export interface SourcePair {
  readonly mac: Mac
  readonly prefix: Prefix
}

export interface Network {
  readonly name: string
  /** 802.1Q id on uplinks of Open vSwitch bridges; absent means untagged. */
  readonly vlan?: number
  /** Conntrack zone and network number: 0x4000–0x7fff unless declared; unique among the networks of the fleet. */
  readonly zone: number
}

/** The rules of one direction at one place, first match wins, and what happens to a packet that none matches. */
export interface Ruleset {
  /** `unfiltered`: no firewall speaks of this direction; there are no rules and everything passes (anti-spoofing still holds). */
  readonly kind: 'filtered' | 'unfiltered'
  readonly rules: readonly Rule[]
}

/** One rule with its names resolved. A packet matches when its peer and one of the services do. */
export interface Rule {
  readonly id: RuleId
  readonly verdict: 'allow' | 'deny' | 'reject'
  /** Source of an inbound rule, destination of an outbound one. */
  readonly peer: 'any' | AddressList
  readonly services: readonly ServiceMatch[]
}

/**
 * Named addresses: `group:app`, `set:office`, `guest:db-1`, `host:hv-1`, or `rule:<id>` for a rule's own mixture. Aggregated
 * (IPv4 first), exclusions already taken out, may be empty (then nobody matches). Equal names mean equal content on a host.
 */
export interface AddressList {
  readonly name: string
  readonly prefixes: readonly Prefix[]
}
