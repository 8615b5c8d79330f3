import { type Family, addressValue, familyOf } from '../../net/address.ts'
import type { Frame, IpPacket, Tracking } from '../frame.ts'
import type { Mac } from '../../net/mac.ts'
import { type Mark, noMark, unknownMark } from './mark.ts'
import { type Doubt, type Truth, doubt } from './truth.ts'

/** An IP packet, its addresses as numbers. */
export interface IpView {
  readonly packet: IpPacket
  readonly family: Family
  readonly source: bigint
  readonly destination: bigint
  readonly fragment: IpPacket['fragment']
}

/** Where a packet stands: the hook, and the devices as rules of that hook see them. An absent device is ''. */
export interface Place {
  readonly hook: string
  /** Do rules see the frame as the bridge does, or the IP packet in it? */
  readonly layer: 'link' | 'network'
  readonly inInterface: string
  readonly outInterface: string
  /** In the network layer: the bridge ports, where br_netfilter brought the packet here. See `xt_physdev`. */
  readonly bridged?: { readonly in: string; readonly out: string }
  /** In the link layer: the bridges that the devices are ports of. */
  readonly bridges?: { readonly in: string; readonly out: string }
}

/**
 * A packet on its way through one host. What rules change, and later rules read, is changed here; the rest stays as the frame
 * says.
 */
export interface Passage {
  readonly frame: Frame
  /** The frame's MACs as numbers. */
  readonly macs: { readonly source: bigint; readonly destination: bigint }
  ip: IpView | undefined
  place: Place
  readonly tracking: Tracking
  /** Has it come past conntrack at this place? Rules of higher precedence see no connection. */
  isTracked: boolean
  /** Did a rule take it out of conntrack? */
  isExempt: Truth
  mark: Mark
  connectionMark: Mark
  hopLimit: number | Doubt
  /** Sets that rules added to, or removed from, on the way. */
  readonly changedSets: Set<string>
}

/** A frame as it enters; the place is set with every hook. */
export function enter(frame: Frame, tracking: Tracking): Passage {
  const packet = frame.payload.kind === 'ip' ? frame.payload.ip : undefined
  const tracked = packet !== undefined && isNeverTracked(packet) ? 'untracked' : tracking
  return {
    frame,
    macs: { source: macValue(frame.sourceMac), destination: macValue(frame.destinationMac) },
    ip: packet === undefined ? undefined : viewOf(packet),
    place: { hook: '', layer: 'link', inInterface: '', outInterface: '' },
    tracking: tracked,
    isTracked: false,
    isExempt: false,
    mark: noMark,
    connectionMark: tracked === 'new' ? noMark : unknownMark,
    hopLimit: packet?.hopLimit ?? 0,
    changedSets: new Set(),
  }
}

/** A MAC as a number. */
export function macValue(mac: Mac): bigint {
  return BigInt(`0x${mac.replaceAll(':', '')}`)
}

function viewOf(packet: IpPacket): IpView {
  return {
    packet,
    family: familyOf(packet.source),
    source: addressValue(packet.source),
    destination: addressValue(packet.destination),
    fragment: packet.fragment,
  }
}

/**
 * What the kernel never tracks: group membership, router and neighbour discovery, but not redirects.
 * `nf_conntrack_proto_icmpv6.c`, `noct_valid_new`.
 */
function isNeverTracked({ protocol, icmp }: IpPacket): boolean {
  return protocol === 58 && icmp !== undefined && untrackedTypes.has(icmp.type)
}

const untrackedTypes: ReadonlySet<number> = new Set([130, 131, 132, 133, 134, 135, 136, 143])

/** `none`: not yet seen by conntrack. */
export function trackingOf(passage: Passage): Tracking | 'none' | Doubt {
  if (passage.isExempt === true) return 'untracked'
  if (!passage.isTracked) return 'none'
  if (passage.isExempt === false || passage.tracking === 'untracked') return passage.tracking
  return passage.isExempt
}

/** Is there a connection that the packet belongs to? */
export function hasConnection(tracking: Tracking | 'none'): boolean {
  return tracking !== 'none' && tracking !== 'invalid' && tracking !== 'untracked'
}

/** For a header that the frame should have and does not say. */
export const noHeader = doubt('the packet says nothing of that header')

/** Transport ports; `undefined` where the fragment has none. */
export function portsOf({ packet, fragment }: IpView): NonNullable<IpPacket['ports']> | Doubt | undefined {
  return fragment === 'later' ? undefined : (packet.ports ?? noHeader)
}
