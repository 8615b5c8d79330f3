import type { Address } from '../net/address.ts'

/** The first packet of a connection: what a policy is asked about. */
export interface Packet {
  readonly source: Address
  readonly destination: Address
  /** IP protocol number. */
  readonly protocol: number
  /** tcp, udp, sctp only; absent means "some port that no rule names". */
  readonly sourcePort?: number
  readonly destinationPort?: number
  /** ICMP and ICMPv6 only. */
  readonly icmpType?: number
  readonly icmpCode?: number
}
