import type { Mac } from '../net/mac.ts'

/** What we learn of a host in the same round trip that reads its state. It comes from the host: untrusted text, strictly parsed. */
export interface HostFacts {
  /** Source address of our own SSH connection as the host sees it (first word of `SSH_CONNECTION`); empty when not over SSH. */
  readonly sshSource: string
  /** Address and port of that connection on the host itself (third and fourth word); empty and 0 when not over SSH. */
  readonly sshDestination: string
  readonly sshPort: number
  /** Tools found on the host (`ovs-ofctl`, `iptables-save`, `ipset`, `nft`, …). */
  readonly tools: ReadonlySet<string>
  /** Linux interfaces: name → its bridge (if any) and MAC. */
  readonly links: ReadonlyMap<string, { readonly bridge?: string; readonly mac?: Mac }>
  /** Open vSwitch interfaces by name; an `ofport` of -1 or none is left out. */
  readonly ovsPorts: ReadonlyMap<string, OvsPort>
  readonly ovsBridges: ReadonlyMap<
    string,
    { readonly failMode: string; readonly datapathType: string; readonly controllers: number }
  >
  /** Value of sysctls we rely on, by name; absent when the kernel has no such key. */
  readonly sysctls: ReadonlyMap<string, string>
}

export interface OvsPort {
  readonly bridge: string
  /** OpenFlow number, 1–65279, or 65534 for the bridge's own LOCAL port. */
  readonly ofport: number
  readonly mac?: Mac
  /** `internal`, `patch`, `system`, `` … */
  readonly type: string
  /** One of several interfaces of one port: a bond, see ovs-vswitchd.conf.db(5), Port. */
  readonly isBonded?: true
  /** VLAN of an access port, which only the action NORMAL minds. */
  readonly tag?: number
}
