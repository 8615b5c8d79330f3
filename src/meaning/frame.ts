import type { Address } from '../net/address.ts'
import type { Mac } from '../net/mac.ts'

/** An Ethernet frame, as far as rules can tell frames apart. */
export interface Frame {
  readonly sourceMac: Mac
  readonly destinationMac: Mac
  /** 802.1Q id of the outer tag; absent: untagged. */
  readonly vlan?: number
  /** Of the payload, behind a tag: 0x0800, 0x86dd, 0x0806, 0x8035 … */
  readonly etherType: number
  readonly payload:
    | { readonly kind: 'ip'; readonly ip: IpPacket }
    | { readonly kind: 'arp'; readonly arp: ArpPacket }
    | { readonly kind: 'other' }
}

export interface ArpPacket {
  /** 1 asks, 2 answers. */
  readonly operation: number
  readonly senderMac: Mac
  readonly senderAddress: Address
  readonly targetMac: Mac
  readonly targetAddress: Address
}

/** IPv4 or IPv6, by the family of its addresses. */
export interface IpPacket {
  readonly source: Address
  readonly destination: Address
  /** IP protocol number; for IPv6 that of the last header. */
  readonly protocol: number
  /** IPv4 TTL, IPv6 hop limit. */
  readonly hopLimit: number
  /** `later` fragments have no transport header. */
  readonly fragment: 'no' | 'first' | 'later'
  /** tcp, udp, sctp and the like. */
  readonly ports?: { readonly source: number; readonly destination: number; readonly tcpFlags?: number }
  readonly icmp?: {
    readonly type: number
    readonly code: number
    /** Neighbour discovery: target address, and source or target link-layer option. */
    readonly target?: Address
    readonly link?: Mac
  }
}

/**
 * What connection tracking says of the packet: the first of a connection, a later one of the asking side, one of the answering side, an
 * ICMP error or helper's child of a known connection (by direction), or one that fits none.
 */
export type Tracking = 'new' | 'request' | 'reply' | 'related' | 'related-reply' | 'invalid' | 'untracked'
