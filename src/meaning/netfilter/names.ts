import { isIPv4, isIPv6 } from 'node:net'
import { type Address, type Family, addressBits, addressValue } from '../../net/address.ts'

/** protocols(5) as Debian 12 has it, and the other spellings that distributions and tools use. */
const protocolNumbers: Readonly<Record<string, number>> = {
  ip: 0,
  hopopt: 0,
  icmp: 1,
  igmp: 2,
  ggp: 3,
  ipencap: 4,
  ipv4: 4,
  st: 5,
  tcp: 6,
  egp: 8,
  igp: 9,
  pup: 12,
  udp: 17,
  hmp: 20,
  'xns-idp': 22,
  rdp: 27,
  'iso-tp4': 29,
  dccp: 33,
  xtp: 36,
  ddp: 37,
  'idpr-cmtp': 38,
  ipv6: 41,
  'ipv6-route': 43,
  'ipv6-frag': 44,
  idrp: 45,
  rsvp: 46,
  gre: 47,
  esp: 50,
  ah: 51,
  skip: 57,
  'ipv6-icmp': 58,
  icmpv6: 58,
  icmp6: 58,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  rspf: 73,
  vmtp: 81,
  eigrp: 88,
  ospf: 89,
  'ax.25': 93,
  ipip: 94,
  etherip: 97,
  encap: 98,
  pim: 103,
  comp: 108,
  ipcomp: 108,
  vrrp: 112,
  carp: 112,
  l2tp: 115,
  isis: 124,
  sctp: 132,
  fc: 133,
  'mobility-header': 135,
  'ipv6-mh': 135,
  mh: 135,
  udplite: 136,
  'mpls-in-ip': 137,
  manet: 138,
  hip: 139,
  shim6: 140,
  wesp: 141,
  rohc: 142,
  ethernet: 143,
}

/** An IP protocol by name or number. `undefined` when it is neither. */
export function protocolNumber(text: string): number | undefined {
  return readInteger(text, 255) ?? protocolNumbers[text.toLowerCase()]
}

/** A whole number in decimal or `0x…` from 0 to `most`. */
export function readInteger(text: string, most: number): number | undefined {
  if (!/^(?:\d{1,15}|0x[0-9a-f]{1,13})$/i.test(text)) return undefined
  const value = Number(text)
  return value <= most ? value : undefined
}

/** An address of any spelling that the kernel's tools print; unlike `parseAddress` also IPv4 in IPv6. */
export function readAddress(text: string): { readonly family: Family; readonly value: bigint } | undefined {
  if (isIPv4(text)) return { family: 4, value: addressValue(text as Address) }
  if (!isIPv6(text) || text.includes('%')) return undefined
  return { family: 6, value: addressValue(text as Address) }
}

/** Addresses whose bits under `mask` are those of `value`. */
export interface MaskedAddress {
  readonly family: Family
  readonly value: bigint
  readonly mask: bigint
}

/** `address`, `address/bits` or `address/mask`, of the kernel's own spelling or another. */
export function readMasked(text: string): MaskedAddress | undefined {
  const [left = '', right, ...rest] = text.split('/')
  const address = readAddress(left)
  if (address === undefined || rest.length > 0) return undefined
  const { family } = address
  const width = addressBits(family)
  const bits = right === undefined ? width : readInteger(right, width)
  const mask = bits === undefined ? readAddress(right ?? '') : { family, value: prefixMask(bits, width) }
  if (mask?.family !== family) return undefined
  return { family, value: address.value & mask.value, mask: mask.value }
}

/** `bits` ones, then zeros, `width` bits in all. */
export function prefixMask(bits: number, width: number): bigint {
  return ((1n << BigInt(bits)) - 1n) << BigInt(width - bits)
}

/** Does `pattern`, with a trailing `+` for anything that follows, mean the interface `name`? See iptables(8), `-i`. */
export function matchesInterface(pattern: string, name: string): boolean {
  return pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : pattern === name
}
