/**
 * A host's raw state, as its own tools print it: what `reconcile capture` keeps as files, and what the simulators read. Any
 * host's, ours or not.
 */
export interface Capture {
  /** Bridge → `ovs-ofctl -O OpenFlow14 --no-names dump-flows BRIDGE`, with or without statistics. */
  readonly flows: ReadonlyMap<string, string>
  /** Open vSwitch interface name → bridge and OpenFlow number (65534 is LOCAL). */
  readonly ports: ReadonlyMap<string, { readonly bridge: string; readonly ofport: number }>
  /** `iptables-save`, `ip6tables-save`, `ipset save`; empty when there is nothing. */
  readonly iptables: string
  readonly ip6tables: string
  readonly ipset: string
  /** `nft -s list ruleset`, or only the tables that matter. */
  readonly nft: string
}
