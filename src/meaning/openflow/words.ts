/**
 * What a switch knows of a packet, as rows of 32-bit words like `struct flow` of Open vSwitch: a field that the packet does not
 * have is zero, and fields that no packet has at once share words (ARP's addresses those of IPv4, ICMP's type and code the
 * ports, an ARP operation the IP protocol). So a match is nothing but comparisons of words under masks.
 */
const sizes = {
  registers: 16,
  metadata: 2,
  inPort: 1,
  /** 802.1Q tag: 3 bits priority, 1 bit "there is a tag", 12 bits id. */
  vlan: 1,
  /** The tag behind it, after `push_vlan` on a tagged frame. */
  innerVlan: 1,
  ethSource: 2,
  ethDestination: 2,
  /** Behind a tag; 0x5ff for what is no Ethernet type. */
  ethType: 1,
  ipSource: 1,
  ipDestination: 1,
  ipv6Source: 4,
  ipv6Destination: 4,
  ipv6Label: 1,
  ipProtocol: 1,
  tos: 1,
  hopLimit: 1,
  /** Bit 0: a fragment, bit 1: not the first one. */
  fragment: 1,
  arpSource: 2,
  arpTarget: 2,
  sourcePort: 1,
  destinationPort: 1,
  tcpFlags: 1,
  ndTarget: 4,
  ndReserved: 1,
  ndOption: 1,
  ctState: 1,
  ctZone: 1,
  ctMark: 1,
  ctLabel: 4,
  ctProtocol: 1,
  ctIpSource: 1,
  ctIpDestination: 1,
  ctIpv6Source: 4,
  ctIpv6Destination: 4,
  ctSourcePort: 1,
  ctDestinationPort: 1,
  conjunction: 1,
  packetMark: 1,
  queuePriority: 1,
  tunnelId: 2,
  tunnelSource: 1,
  tunnelDestination: 1,
  tunnelIpv6Source: 4,
  tunnelIpv6Destination: 4,
  tunnelGroup: 1,
  tunnelGroupFlags: 1,
  tunnelFlags: 1,
  tunnelHopLimit: 1,
  tunnelTos: 1,
} as const

export type WordName = keyof typeof sizes

/** Index of the first, most significant word of each group. */
export const first: Readonly<Record<WordName, number>> = layOut()

/** Number of words of a packet. */
const wordCount = Object.values(sizes).reduce((sum, size) => sum + size, 0)

/** Index of the last, least significant word of a group. */
export function last(name: WordName): number {
  return first[name] + sizes[name] - 1
}

function layOut(): Readonly<Record<WordName, number>> {
  let next = 0
  const starts = Object.entries(sizes).map(([name, size]) => {
    next += size
    return [name, next - size] as const
  })
  return Object.fromEntries(starts) as Record<WordName, number>
}

/** Some bits of one word, and what they are compared with or set to. `value` has no bits outside of `mask`; both are unsigned. */
export interface Bits {
  readonly word: number
  readonly mask: number
  readonly value: number
}

/** The words of one packet. Bits set in `unknown` are bits that nobody told us: what `value` says of them means nothing. */
export interface Words {
  readonly value: Uint32Array
  readonly unknown: Uint32Array
}

export function emptyWords(): Words {
  return { value: new Uint32Array(wordCount), unknown: new Uint32Array(wordCount) }
}

export function copyWords({ value, unknown }: Words): Words {
  return { value: value.slice(), unknown: unknown.slice() }
}

export function setBits(words: Words, { word, mask, value }: Bits): void {
  words.value[word] = ((words.value[word] ?? 0) & ~mask) | value
  words.unknown[word] = (words.unknown[word] ?? 0) & ~mask
}
