import { addressValue } from '../../../net/address.ts'
import { type IpView, type Passage, macValue, noHeader } from '../passage.ts'
import { type Doubt, doubt } from '../truth.ts'

/**
 * Linux 6.18 takes what stands in a later fragment of IPv4 for a transport header, and in IPv6 the IP header itself (its offset stays
 * 0); others let the rule not match.
 */
export const insideFragment = doubt('nft looks for a header in a later fragment or not, by kernel')

/** What is known of a header: numbers at bit offsets, and where it ends if that is known. */
interface Header {
  readonly parts: readonly { readonly at: number; readonly bits: number; readonly value: bigint }[]
  readonly bits?: number
}

/**
 * `@ll,offset,length` and the like, in bits: as far as the frame tells what stands there. `undefined`: beyond the packet's end, or no
 * such header, and so no match.
 */
export function readRaw(
  passage: Passage,
  base: string,
  { at, bits }: { readonly at: number; readonly bits: number },
): bigint | Doubt | undefined {
  const header = headerAt(passage, base)
  if (header === undefined || 'why' in header) return header
  if (header.bits !== undefined && at + bits > header.bits) return undefined
  let value = 0n
  let next = at
  while (next < at + bits) {
    const part = header.parts.find((one) => one.at <= next && next < one.at + one.bits)
    if (part === undefined) return noHeader
    const end = Math.min(part.at + part.bits, at + bits)
    const inPart = (part.value >> BigInt(part.at + part.bits - end)) & ((1n << BigInt(end - next)) - 1n)
    value = (value << BigInt(end - next)) | inPart
    next = end
  }
  return value
}

function headerAt(passage: Passage, base: string): Header | Doubt | undefined {
  const { frame, ip, macs } = passage
  switch (base) {
    case 'll':
      return {
        parts: [
          { at: 0, bits: 48, value: macs.destination },
          { at: 48, bits: 48, value: macs.source },
          ...(frame.vlan === undefined ? [{ at: 96, bits: 16, value: BigInt(frame.etherType) }] : []),
        ],
      }
    case 'nh':
      return ip === undefined ? noHeader : networkHeader(passage, ip)
    case 'th':
      if (ip === undefined)
        return frame.etherType === 0x0800 || frame.etherType === 0x86dd ? noHeader : undefined
      return ip.fragment === 'later' ? insideFragment : transportHeader(ip)
    default:
      return noHeader
  }
}

function networkHeader(
  { hopLimit }: Passage,
  { family, packet, source, destination, fragment }: IpView,
): Header {
  const hops = typeof hopLimit === 'number' ? [BigInt(hopLimit)] : []
  if (family === 4)
    return {
      parts: [
        ...hops.map((value) => ({ at: 64, bits: 8, value })),
        { at: 72, bits: 8, value: BigInt(packet.protocol) },
        { at: 96, bits: 32, value: source },
        { at: 128, bits: 32, value: destination },
      ],
    }
  return {
    parts: [
      { at: 48, bits: 8, value: BigInt(fragment === 'no' ? packet.protocol : 44) },
      ...hops.map((value) => ({ at: 56, bits: 8, value })),
      { at: 64, bits: 128, value: source },
      { at: 192, bits: 128, value: destination },
    ],
  }
}

/** Ports; TCP's flags; an ICMP message's type and code, and all of neighbour discovery but the flags of an answer. */
export function transportHeader({ packet }: IpView): Header {
  const { ports, icmp } = packet
  if (ports !== undefined)
    return {
      parts: [
        { at: 0, bits: 16, value: BigInt(ports.source) },
        { at: 16, bits: 16, value: BigInt(ports.destination) },
        ...(packet.protocol === 6 && ports.tcpFlags !== undefined
          ? [{ at: 104, bits: 8, value: BigInt(ports.tcpFlags) }]
          : []),
      ],
    }
  if (icmp === undefined) return { parts: [] }
  const first = [
    { at: 0, bits: 8, value: BigInt(icmp.type) },
    { at: 8, bits: 8, value: BigInt(icmp.code) },
  ]
  return packet.protocol === 58 ? discovery(icmp, first) : { parts: first }
}

/** RFC 4861, 4.1, 4.3 and 4.4: one option at most, as a frame tells of no more. */
function discovery(icmp: NonNullable<IpView['packet']['icmp']>, first: Header['parts']): Header {
  const option = (at: number, type: bigint) =>
    icmp.link === undefined
      ? []
      : [{ at, bits: 64, value: (type << 56n) | (1n << 48n) | macValue(icmp.link) }]
  const target = icmp.target === undefined ? [] : [{ at: 64, bits: 128, value: addressValue(icmp.target) }]
  const optionBits = icmp.link === undefined ? 0 : 64
  switch (icmp.type) {
    case 133:
      return { parts: [...first, ...option(64, 1n)], bits: 64 + optionBits }
    case 135:
      return { parts: [...first, ...target, ...option(192, 1n)], bits: 192 + optionBits }
    case 136:
      return { parts: [...first, ...target, ...option(192, 2n)], bits: 192 + optionBits }
    case 137:
      return { parts: [...first, ...target] }
    default:
      return { parts: first }
  }
}
