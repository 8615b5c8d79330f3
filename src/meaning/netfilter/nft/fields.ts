import { addressValue } from '../../../net/address.ts'
import { isGroupMac } from '../../../net/mac.ts'
import {
  type IpView,
  type Passage,
  hasConnection,
  macValue,
  noHeader,
  portsOf,
  trackingOf,
} from '../passage.ts'
import { type Doubt, doubt } from '../truth.ts'
import { insideFragment, readRaw, transportHeader } from './raw.ts'
import { opaqueNames } from './opaque.ts'
import {
  arpOperations,
  connectionStates,
  directions,
  etherTypes,
  icmp6Codes,
  icmp6Types,
  icmpCodes,
  icmpTypes,
  packetTypes,
  protocolFamilies,
  stateBits,
  tcpFlags,
} from './symbols.ts'
import {
  type Value,
  type ValueType,
  addressType4,
  addressType6,
  interfaceType,
  macType,
  numberType,
  opaqueType,
  protocolType,
} from './value.ts'

/** Something of a packet that a rule can look at. `undefined`: the packet has none, and the rule does not match. */
export interface Field {
  readonly type: ValueType
  readonly read: (passage: Passage) => Value | Doubt | undefined
}

const behindTag = doubt('nft looks behind a VLAN tag or not, by version')

/** The IP header, where a rule may look at it: nft first asks for the protocol, in the link layer by what the frame says. */
function ipOf({ frame, ip, place }: Passage, family: 4 | 6): IpView | Doubt | undefined {
  if (place.layer === 'network') return ip?.family === family ? ip : undefined
  if (frame.etherType !== (family === 4 ? 0x0800 : 0x86dd)) return undefined
  if (frame.vlan !== undefined) return behindTag
  return ip?.family === family ? ip : noHeader
}

function ofIp(family: 4 | 6, type: ValueType, read: (ip: IpView) => Value | Doubt | undefined): Field {
  return {
    type,
    read: (passage) => {
      const ip = ipOf(passage, family)
      return ip === undefined || 'why' in ip ? ip : read(ip)
    },
  }
}

function ofPorts(protocol: number, end: 'source' | 'destination'): Field {
  return {
    type: numberType('inet_service', 16),
    read: ({ ip }) => {
      if (ip?.packet.protocol !== protocol) return undefined
      const ports = portsOf(ip) ?? insideFragment
      return 'why' in ports ? ports : BigInt(ports[end])
    },
  }
}

function ofIcmp(family: 4 | 6, type: ValueType, part: 'type' | 'code'): Field {
  return ofIp(family, type, ({ packet, fragment }) => {
    if (packet.protocol !== (family === 4 ? 1 : 58)) return undefined
    if (fragment === 'later') return insideFragment
    return packet.icmp === undefined ? noHeader : BigInt(packet.icmp[part])
  })
}

type Arp = Extract<Passage['frame']['payload'], { kind: 'arp' }>['arp']

function ofArp(type: ValueType, read: (arp: Arp) => Value): Field {
  return {
    type,
    read: ({ frame }) => {
      if (frame.etherType !== 0x0806) return undefined
      if (frame.vlan !== undefined) return behindTag
      return frame.payload.kind === 'arp' ? read(frame.payload.arp) : noHeader
    },
  }
}

/** Rules over IP packets see the frame only where a device stands for it (`meta iiftype ether` is implied). */
function ofFrame(type: ValueType, read: (passage: Passage) => Value | Doubt | undefined): Field {
  return {
    type,
    read: (passage) =>
      passage.place.layer === 'network' && passage.place.inInterface === '' ? undefined : read(passage),
  }
}

/** A part of a packet at an offset in bits, `@th,64,128`. */
function rawField(base: string, at: number, bits: number): Field {
  return { type: numberType('integer', bits), read: (passage) => readRaw(passage, base, { at, bits }) }
}

function opaque(name: string): Field {
  const answer = doubt(`nft ${name}`)
  return { type: opaqueType, read: () => answer }
}

const madeHere = doubt('what type of packet the hypervisor makes')
const forPort = doubt('whether the frame is for a bridge port itself')

function packetType({ frame, place }: Passage): Value | Doubt {
  if (place.inInterface === '') return madeHere
  if (frame.destinationMac === 'ff:ff:ff:ff:ff:ff') return 1n
  if (isGroupMac(frame.destinationMac)) return 2n
  return place.layer === 'network' ? 0n : forPort
}

function connectionState(passage: Passage): Value | Doubt {
  const tracking = trackingOf(passage)
  switch (tracking) {
    case 'new':
      return BigInt(stateBits.new)
    case 'request':
    case 'reply':
      return BigInt(stateBits.established)
    case 'related':
    case 'related-reply':
      return BigInt(stateBits.related)
    case 'untracked':
      return BigInt(stateBits.untracked)
    case 'invalid':
    case 'none':
      return BigInt(stateBits.invalid)
    default:
      return tracking
  }
}

function ofConnection(type: ValueType, read: (passage: Passage) => Value | Doubt): Field {
  return {
    type,
    read: (passage) => {
      const tracking = trackingOf(passage)
      if (typeof tracking === 'object') return tracking
      return hasConnection(tracking) ? read(passage) : undefined
    },
  }
}

const unknownMark = doubt('the mark was set by what we do not know')
const byte = numberType('integer', 8)
const word = numberType('integer', 16)
const markType = numberType('mark', 32)

function isIpType(etherType: number): boolean {
  return etherType === 0x0800 || etherType === 0x86dd
}

const meta: Readonly<Record<string, Field>> = {
  iifname: { type: interfaceType, read: ({ place }) => place.inInterface },
  oifname: { type: interfaceType, read: ({ place }) => place.outInterface },
  iif: { type: interfaceType, read: ({ place }) => place.inInterface },
  oif: { type: interfaceType, read: ({ place }) => place.outInterface },
  'meta ibrname': { type: interfaceType, read: ({ place }) => place.bridges?.in ?? '' },
  'meta obrname': { type: interfaceType, read: ({ place }) => place.bridges?.out ?? '' },
  'meta protocol': {
    type: etherTypes,
    read: ({ frame, ip, place }) =>
      BigInt(
        place.layer === 'link' || ip === undefined ? frame.etherType : ip.family === 4 ? 0x0800 : 0x86dd,
      ),
  },
  'meta nfproto': {
    type: protocolFamilies,
    read: ({ ip, place }) => (place.layer === 'link' || ip === undefined ? 7n : ip.family === 4 ? 2n : 10n),
  },
  'meta l4proto': {
    type: protocolType,
    read: ({ frame, ip }) => {
      if (ip !== undefined) return BigInt(ip.packet.protocol)
      return isIpType(frame.etherType) ? noHeader : undefined
    },
  },
  'meta pkttype': { type: packetTypes, read: packetType },
  'meta mark': {
    type: markType,
    read: ({ mark }) => (mark.unknown === 0 ? BigInt(mark.value) : unknownMark),
  },
  'ct state': { type: connectionStates, read: connectionState },
  'ct direction': ofConnection(directions, ({ tracking }) =>
    tracking === 'reply' || tracking === 'related-reply' ? 1n : 0n,
  ),
  'ct mark': ofConnection(markType, ({ connectionMark }) =>
    connectionMark.unknown === 0 ? BigInt(connectionMark.value) : unknownMark,
  ),
}

const link: Readonly<Record<string, Field>> = {
  'ether saddr': ofFrame(macType, ({ macs }) => macs.source),
  'ether daddr': ofFrame(macType, ({ macs }) => macs.destination),
  'ether type': ofFrame(etherTypes, ({ frame }) =>
    BigInt(frame.vlan === undefined ? frame.etherType : 0x8100),
  ),
  'vlan id': ofFrame(numberType('integer', 12), ({ frame }) =>
    frame.vlan === undefined ? undefined : BigInt(frame.vlan),
  ),
  'vlan type': ofFrame(etherTypes, ({ frame }) =>
    frame.vlan === undefined ? undefined : BigInt(frame.etherType),
  ),
  'arp htype': ofArp(word, () => 1n),
  'arp ptype': ofArp(etherTypes, () => 0x0800n),
  'arp hlen': ofArp(byte, () => 6n),
  'arp plen': ofArp(byte, () => 4n),
  'arp operation': ofArp(arpOperations, ({ operation }) => BigInt(operation)),
  'arp saddr ether': ofArp(macType, ({ senderMac }) => macValue(senderMac)),
  'arp daddr ether': ofArp(macType, ({ targetMac }) => macValue(targetMac)),
  'arp saddr ip': ofArp(addressType4, ({ senderAddress }) => addressValue(senderAddress)),
  'arp daddr ip': ofArp(addressType4, ({ targetAddress }) => addressValue(targetAddress)),
}

const hopLimit: Field['read'] = (passage) =>
  typeof passage.hopLimit === 'number' ? BigInt(passage.hopLimit) : passage.hopLimit

function hopLimitOf(family: 4 | 6): Field {
  const isThere = ofIp(family, byte, () => 0n)
  return {
    type: byte,
    read: (passage) => {
      const present = isThere.read(passage)
      return present === 0n ? hopLimit(passage) : present
    },
  }
}

const network: Readonly<Record<string, Field>> = {
  'ip saddr': ofIp(4, addressType4, ({ source }) => source),
  'ip daddr': ofIp(4, addressType4, ({ destination }) => destination),
  'ip protocol': ofIp(4, protocolType, ({ packet }) => BigInt(packet.protocol)),
  'ip version': ofIp(4, byte, () => 4n),
  'ip ttl': hopLimitOf(4),
  'ip6 saddr': ofIp(6, addressType6, ({ source }) => source),
  'ip6 daddr': ofIp(6, addressType6, ({ destination }) => destination),
  // Extension headers other than that of fragments: a frame tells of none.
  'ip6 nexthdr': ofIp(6, protocolType, ({ packet, fragment }) =>
    BigInt(fragment === 'no' ? packet.protocol : 44),
  ),
  // Behind the fragment header stands the last one: a frame tells of no other.
  'frag nexthdr': ofIp(6, protocolType, ({ packet, fragment }) =>
    fragment === 'no' ? undefined : BigInt(packet.protocol),
  ),
  'ip6 version': ofIp(6, byte, () => 6n),
  'ip6 hoplimit': hopLimitOf(6),
  'ip6 length': ofIp(6, word, (ip) => {
    const { bits } = ip.fragment === 'no' ? transportHeader(ip) : {}
    return bits === undefined ? noHeader : BigInt(bits / 8)
  }),
  'icmp type': ofIcmp(4, icmpTypes, 'type'),
  'icmp code': ofIcmp(4, icmpCodes, 'code'),
  'icmpv6 type': ofIcmp(6, icmp6Types, 'type'),
  'icmpv6 code': ofIcmp(6, icmp6Codes, 'code'),
  'icmpv6 taddr': ofIp(6, addressType6, ({ packet: { protocol, icmp }, fragment }) => {
    if (protocol !== 58) return undefined
    if (fragment === 'later') return insideFragment
    if (icmp === undefined) return noHeader
    if (![135, 136, 137].includes(icmp.type)) return undefined
    return icmp.target === undefined ? noHeader : addressValue(icmp.target)
  }),
}

const transport: Readonly<Record<string, Field>> = {
  ...Object.fromEntries(
    Object.entries({ tcp: 6, udp: 17, dccp: 33, sctp: 132, udplite: 136 }).flatMap(([name, protocol]) => [
      [`${name} sport`, ofPorts(protocol, 'source')],
      [`${name} dport`, ofPorts(protocol, 'destination')],
    ]),
  ),
  'th sport': { ...rawField('th', 0, 16), type: numberType('inet_service', 16) },
  'th dport': { ...rawField('th', 16, 16), type: numberType('inet_service', 16) },
  'tcp flags': {
    type: tcpFlags,
    read: ({ ip }) => {
      if (ip?.packet.protocol !== 6) return undefined
      const ports = portsOf(ip) ?? insideFragment
      if ('why' in ports) return ports
      return ports.tcpFlags === undefined ? noHeader : BigInt(ports.tcpFlags)
    },
  },
}

const fields: ReadonlyMap<string, Field> = new Map([
  ...opaqueNames.map((name) => [name, opaque(name)] as const),
  ...Object.entries({ ...meta, ...link, ...network, ...transport }),
])

/** A field by its words, and how many of them it took. */
export function findField(
  words: readonly string[],
): { readonly name: string; readonly field: Field } | undefined {
  for (const count of [3, 2, 1]) {
    const name = words.slice(0, count).join(' ')
    const field = fields.get(name)
    if (field !== undefined) return { name, field }
  }
  const [, base, at, bits] = /^@(ll|nh|th),(\d{1,5}),(\d{1,4})$/.exec(words[0] ?? '') ?? []
  if (base === undefined || Number(bits) === 0) return undefined
  return { name: words[0] ?? '', field: rawField(base, Number(at), Number(bits)) }
}
