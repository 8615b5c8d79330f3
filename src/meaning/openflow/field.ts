import { type Bits, type WordName, type Words, first, last } from './words.ts'

/** How a field's values are written. See ovs-fields(7), "Format". */
export type Format =
  | 'number'
  | 'mac'
  | 'ipv4'
  | 'ipv6'
  | 'port'
  | 'ct-state'
  | 'tcp-flags'
  | 'tunnel-flags'
  | 'fragment'

/** What a packet must be for an action to write a field of it; otherwise the action does nothing. See ovs-fields(7). */
export type Prerequisite =
  | 'none'
  | 'arp'
  | 'ipv4'
  | 'ipv6'
  | 'ip'
  | 'vlan'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmp4'
  | 'icmp6'
  | 'nd'
  | 'nd-solicit'
  | 'nd-advert'
  /** `mod_tp_src`: any IP packet that is no later fragment. */
  | 'ports'
  /** `set_vlan_vid`, `set_vlan_pcp`: there is a tag already. */
  | 'tag'

/** A field of ovs-fields(7). */
export interface Field {
  readonly name: string
  /** Index of the least significant word. Wider fields go on in the words before it. */
  readonly word: number
  /** Bits of that word below the field. */
  readonly shift: number
  readonly width: number
  readonly format: Format
  readonly requires: Prerequisite
}

/** Bits `start` to `start + width - 1` of a field, counted from the least significant one. */
export interface Subfield {
  readonly field: Field
  readonly start: number
  readonly width: number
}

type Row = readonly [names: string, word: WordName, width: number, format: Format, more?: Partial<Field>]

/** Names of a row mean the same field: by meta-flow.h of Open vSwitch 3.1, with the names of OpenFlow 1.0, NXM and OXM. */
const rows: readonly Row[] = [
  ['conj_id NXM_NX_CONJ_ID', 'conjunction', 32, 'number'],
  ['tun_id tunnel_id NXM_NX_TUN_ID OXM_OF_TUNNEL_ID', 'tunnelId', 64, 'number'],
  ['tun_src NXM_NX_TUN_IPV4_SRC', 'tunnelSource', 32, 'ipv4'],
  ['tun_dst NXM_NX_TUN_IPV4_DST', 'tunnelDestination', 32, 'ipv4'],
  ['tun_ipv6_src NXM_NX_TUN_IPV6_SRC', 'tunnelIpv6Source', 128, 'ipv6'],
  ['tun_ipv6_dst NXM_NX_TUN_IPV6_DST', 'tunnelIpv6Destination', 128, 'ipv6'],
  ['tun_gbp_id NXM_NX_TUN_GBP_ID', 'tunnelGroup', 16, 'number'],
  ['tun_gbp_flags NXM_NX_TUN_GBP_FLAGS', 'tunnelGroupFlags', 8, 'number'],
  ['tun_flags NXM_NX_TUN_FLAGS', 'tunnelFlags', 1, 'tunnel-flags'],
  ['tun_ttl', 'tunnelHopLimit', 8, 'number'],
  ['tun_tos', 'tunnelTos', 8, 'number'],
  ['metadata OXM_OF_METADATA', 'metadata', 64, 'number'],
  ['in_port NXM_OF_IN_PORT', 'inPort', 16, 'port'],
  ['in_port_oxm OXM_OF_IN_PORT', 'inPort', 16, 'port'],
  ['skb_priority', 'queuePriority', 32, 'number'],
  ['pkt_mark NXM_NX_PKT_MARK', 'packetMark', 32, 'number'],
  ['ct_state NXM_NX_CT_STATE', 'ctState', 32, 'ct-state'],
  ['ct_zone NXM_NX_CT_ZONE', 'ctZone', 16, 'number'],
  ['ct_mark NXM_NX_CT_MARK', 'ctMark', 32, 'number'],
  ['ct_label NXM_NX_CT_LABEL', 'ctLabel', 128, 'number'],
  ['ct_nw_proto NXM_NX_CT_NW_PROTO', 'ctProtocol', 8, 'number'],
  ['ct_nw_src NXM_NX_CT_NW_SRC', 'ctIpSource', 32, 'ipv4'],
  ['ct_nw_dst NXM_NX_CT_NW_DST', 'ctIpDestination', 32, 'ipv4'],
  ['ct_ipv6_src NXM_NX_CT_IPV6_SRC', 'ctIpv6Source', 128, 'ipv6'],
  ['ct_ipv6_dst NXM_NX_CT_IPV6_DST', 'ctIpv6Destination', 128, 'ipv6'],
  ['ct_tp_src NXM_NX_CT_TP_SRC', 'ctSourcePort', 16, 'number'],
  ['ct_tp_dst NXM_NX_CT_TP_DST', 'ctDestinationPort', 16, 'number'],
  ['eth_src dl_src NXM_OF_ETH_SRC OXM_OF_ETH_SRC', 'ethSource', 48, 'mac'],
  ['eth_dst dl_dst NXM_OF_ETH_DST OXM_OF_ETH_DST', 'ethDestination', 48, 'mac'],
  ['eth_type dl_type NXM_OF_ETH_TYPE OXM_OF_ETH_TYPE', 'ethType', 16, 'number'],
  ['vlan_tci NXM_OF_VLAN_TCI', 'vlan', 16, 'number'],
  ['vlan_tci1', 'innerVlan', 16, 'number'],
  ['vlan_vid OXM_OF_VLAN_VID', 'vlan', 13, 'number'],
  ['vlan_pcp OXM_OF_VLAN_PCP', 'vlan', 3, 'number', { shift: 13, requires: 'vlan' }],
  ['ip_src nw_src NXM_OF_IP_SRC OXM_OF_IPV4_SRC', 'ipSource', 32, 'ipv4', { requires: 'ipv4' }],
  ['ip_dst nw_dst NXM_OF_IP_DST OXM_OF_IPV4_DST', 'ipDestination', 32, 'ipv4', { requires: 'ipv4' }],
  ['ipv6_src NXM_NX_IPV6_SRC OXM_OF_IPV6_SRC', 'ipv6Source', 128, 'ipv6', { requires: 'ipv6' }],
  ['ipv6_dst NXM_NX_IPV6_DST OXM_OF_IPV6_DST', 'ipv6Destination', 128, 'ipv6', { requires: 'ipv6' }],
  ['ipv6_label NXM_NX_IPV6_LABEL OXM_OF_IPV6_FLABEL', 'ipv6Label', 20, 'number', { requires: 'ipv6' }],
  ['nw_proto ip_proto NXM_OF_IP_PROTO OXM_OF_IP_PROTO', 'ipProtocol', 8, 'number', { requires: 'ip' }],
  ['nw_tos NXM_OF_IP_TOS', 'tos', 8, 'number', { requires: 'ip' }],
  ['ip_dscp OXM_OF_IP_DSCP', 'tos', 6, 'number', { shift: 2, requires: 'ip' }],
  ['nw_ecn ip_ecn NXM_NX_IP_ECN OXM_OF_IP_ECN', 'tos', 2, 'number', { requires: 'ip' }],
  ['nw_ttl NXM_NX_IP_TTL', 'hopLimit', 8, 'number', { requires: 'ip' }],
  ['ip_frag nw_frag NXM_NX_IP_FRAG', 'fragment', 2, 'fragment', { requires: 'ip' }],
  ['arp_op NXM_OF_ARP_OP OXM_OF_ARP_OP', 'ipProtocol', 8, 'number', { requires: 'arp' }],
  ['arp_spa NXM_OF_ARP_SPA OXM_OF_ARP_SPA', 'ipSource', 32, 'ipv4', { requires: 'arp' }],
  ['arp_tpa NXM_OF_ARP_TPA OXM_OF_ARP_TPA', 'ipDestination', 32, 'ipv4', { requires: 'arp' }],
  ['arp_sha NXM_NX_ARP_SHA OXM_OF_ARP_SHA', 'arpSource', 48, 'mac', { requires: 'arp' }],
  ['arp_tha NXM_NX_ARP_THA OXM_OF_ARP_THA', 'arpTarget', 48, 'mac', { requires: 'arp' }],
  ['tp_src', 'sourcePort', 16, 'number', { requires: 'ports' }],
  ['tp_dst', 'destinationPort', 16, 'number', { requires: 'ports' }],
  ...(['tcp', 'udp', 'sctp'] as const).flatMap((name): readonly Row[] => {
    const upper = name.toUpperCase()
    const names = (end: string) =>
      `${name}_${end.toLowerCase()} NXM_OF_${upper}_${end} OXM_OF_${upper}_${end}`
    return [
      [names('SRC'), 'sourcePort', 16, 'number', { requires: name }],
      [names('DST'), 'destinationPort', 16, 'number', { requires: name }],
    ]
  }),
  ['tcp_flags NXM_NX_TCP_FLAGS ONFOXM_ET_TCP_FLAGS', 'tcpFlags', 12, 'tcp-flags', { requires: 'tcp' }],
  ['icmp_type NXM_OF_ICMP_TYPE OXM_OF_ICMPV4_TYPE', 'sourcePort', 16, 'number', { requires: 'icmp4' }],
  ['icmp_code NXM_OF_ICMP_CODE OXM_OF_ICMPV4_CODE', 'destinationPort', 16, 'number', { requires: 'icmp4' }],
  ['icmpv6_type NXM_NX_ICMPV6_TYPE OXM_OF_ICMPV6_TYPE', 'sourcePort', 16, 'number', { requires: 'icmp6' }],
  [
    'icmpv6_code NXM_NX_ICMPV6_CODE OXM_OF_ICMPV6_CODE',
    'destinationPort',
    16,
    'number',
    { requires: 'icmp6' },
  ],
  ['nd_target NXM_NX_ND_TARGET OXM_OF_IPV6_ND_TARGET', 'ndTarget', 128, 'ipv6', { requires: 'nd' }],
  ['nd_sll NXM_NX_ND_SLL OXM_OF_IPV6_ND_SLL', 'arpSource', 48, 'mac', { requires: 'nd-solicit' }],
  ['nd_tll NXM_NX_ND_TLL OXM_OF_IPV6_ND_TLL', 'arpTarget', 48, 'mac', { requires: 'nd-advert' }],
  ['nd_reserved ERICOXM_OF_ICMPV6_ND_RESERVED', 'ndReserved', 32, 'number', { requires: 'nd' }],
  ['nd_options_type ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE', 'ndOption', 8, 'number', { requires: 'nd' }],
]

/** Registers overlap: `xreg0` is `reg0` and `reg1`, `xxreg0` is `reg0` to `reg3`, the first one the most significant. */
const registers: readonly (readonly [names: string, field: Field])[] = [
  ...Array.from({ length: 16 }, (_, at) => register(`reg${at} NXM_NX_REG${at}`, at, 32)),
  ...Array.from({ length: 8 }, (_, at) => register(`xreg${at} OXM_OF_PKT_REG${at}`, at * 2 + 1, 64)),
  ...Array.from({ length: 4 }, (_, at) => register(`xxreg${at} NXM_NX_XXREG${at}`, at * 4 + 3, 128)),
]

function register(names: string, lastRegister: number, width: number): readonly [string, Field] {
  const word = first.registers + lastRegister
  return [
    names,
    { name: names.split(' ')[0] ?? '', word, shift: 0, width, format: 'number', requires: 'none' },
  ]
}

const fieldByName: ReadonlyMap<string, Field> = new Map(
  [
    ...rows.map(([names, word, width, format, more]) => {
      const name = names.split(' ')[0] ?? ''
      return [names, { name, word: last(word), shift: 0, width, format, requires: 'none', ...more }] as const
    }),
    ...registers,
  ].flatMap(([names, field]) => names.split(' ').map((name): readonly [string, Field] => [name, field])),
)

/** The field of a name, whatever its spelling; `undefined` when we do not know it. */
export function fieldNamed(name: string): Field | undefined {
  return fieldByName.get(name)
}

/** Reads `reg5`, `NXM_NX_REG6[0..15]`, `reg0[3]` or `NXM_NX_REG5[]`. */
export function parseSubfield(text: string): Subfield | undefined {
  const match = /^([A-Za-z0-9_]+)(?:\[(?:(\d{1,3})(?:\.\.(\d{1,3}))?)?\])?$/.exec(text)
  const field = fieldNamed(match?.[1] ?? '')
  if (match === null || field === undefined) return undefined
  if (match[2] === undefined) return { field, start: 0, width: field.width }
  const start = Number(match[2])
  const end = match[3] === undefined ? start : Number(match[3])
  return start <= end && end < field.width ? { field, start, width: end - start + 1 } : undefined
}

/** The words under `value` and `mask`, both aligned to bit 0 of the subfield. Words without a masked bit are left out. */
export function bitsOf({ field, start, width }: Subfield, value: bigint, mask: bigint): readonly Bits[] {
  const all = (1n << BigInt(width)) - 1n
  const up = BigInt(start + field.shift)
  const placedMask = (mask & all) << up
  const placedValue = (value & mask & all) << up
  const count = Math.ceil((start + field.shift + width) / 32)
  return Array.from({ length: count }, (_, at): Bits => {
    const word = (wide: bigint) => Number((wide >> BigInt(32 * at)) & 0xffffffffn)
    return { word: field.word - at, mask: word(placedMask), value: word(placedValue) }
  }).filter((bits) => bits.mask !== 0)
}

/** The value of a subfield of up to 32 bits; `undefined` when it is wider, or some of its bits are not known. */
export function readNumber(words: Words, { field, start, width }: Subfield): number | undefined {
  const low = start + field.shift
  if (low + width > 32) return undefined
  const mask = width === 32 ? 0xffffffff : 2 ** width - 1
  if ((((words.unknown[field.word] ?? 0) >>> low) & mask) !== 0) return undefined
  return (((words.value[field.word] ?? 0) >>> low) & mask) >>> 0
}

/** The subfield's value, and which of its bits are not known. */
export function readSubfield(
  words: Words,
  { field, start, width }: Subfield,
): { readonly value: bigint; readonly unknown: bigint } {
  const low = start + field.shift
  const all = (1n << BigInt(width)) - 1n
  const count = Math.ceil((low + width) / 32)
  const wide = (row: Uint32Array) =>
    Array.from({ length: count }, (_, at) => BigInt(row[field.word - at] ?? 0) << BigInt(32 * at)).reduce(
      (sum, part) => sum | part,
      0n,
    )
  return {
    value: (wide(words.value) >> BigInt(low)) & all,
    unknown: (wide(words.unknown) >> BigInt(low)) & all,
  }
}

/** Writes `value`, and marks the bits of `unknown` as not known. */
export function writeSubfield(
  words: Words,
  subfield: Subfield,
  { value, unknown }: { readonly value: bigint; readonly unknown: bigint },
): void {
  const all = (1n << BigInt(subfield.width)) - 1n
  for (const { word, mask, value: bits } of bitsOf(subfield, value & ~unknown, all)) {
    words.value[word] = ((words.value[word] ?? 0) & ~mask) | bits
    words.unknown[word] = (words.unknown[word] ?? 0) & ~mask
  }
  if (unknown === 0n) return
  for (const { word, value: bits } of bitsOf(subfield, unknown, all))
    words.unknown[word] = (words.unknown[word] ?? 0) | bits
}

/** The field that a word belongs to, for messages. */
export function nameOfWord(word: number): string {
  for (const [name, field] of fieldByName)
    if (field.word >= word && field.word - Math.ceil(field.width / 32) < word) return name
  return 'a field'
}
