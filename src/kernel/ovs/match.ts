import { addressValue, familyOf } from '../../net/address.ts'
import { type Mac, parseMac } from '../../net/mac.ts'
import type { PortMask } from '../../net/port.ts'
import { type Prefix, parsePrefix, prefixAddress, prefixBits } from '../../net/prefix.ts'
import { formatHex, parseHex } from './hex.ts'
import { type Port, formatPort, formatRegisterPort, parsePort, parseRegisterPort } from './port.ts'
import { splitList } from './split.ts'

/** Keywords of ovs-ofctl(8) for an Ethernet type, or an IP version with a protocol. */
export type Protocol = (typeof protocols)[number]
const protocols = [
  'arp',
  'rarp',
  'ip',
  'ipv6',
  'icmp',
  'icmp6',
  'tcp',
  'tcp6',
  'udp',
  'udp6',
  'sctp',
  'sctp6',
] as const

/** States of conntrack that we match, spelled in the order of the dump. See ovs-fields(7), `ct_state`. */
export type TrackedState = (typeof states)[number]
const states = ['+trk', '+inv+trk', '+new+trk', '+est+rpl+trk', '-new+rel+trk'] as const

/** Destination MACs by kind: `group` is broadcast and multicast, `reserved` what IEEE 802.1D bridges never forward. */
const macKinds = {
  group: '01:00:00:00:00:00/01:00:00:00:00:00',
  reserved: '01:80:c2:00:00:00/ff:ff:ff:ff:ff:f0',
} as const

/** Tag of a frame: none at all, or any. See ovs-fields(7), `vlan_tci`: bit 0x1000 says that there is a tag. */
const tagKinds = { untagged: '0x0000/0x1fff', tagged: '0x1000/0x1000' } as const

/**
 * What a flow asks of a packet; an absent field is a wildcard. Fields carry their names of ovs-fields(7), but for our
 * registers, and stand in the order in which the switch prints them.
 */
export interface Match {
  readonly ct_state?: TrackedState
  readonly protocol?: Protocol
  /** `reg5`: port of the NIC whose rules are being asked. */
  readonly nic?: Port
  /** `reg6`: number of the network, which is its conntrack zone. */
  readonly network?: number
  /** `reg7`: `false` is zero, see the action `offer-dhcp`. */
  readonly offersDhcp?: false
  /** Bit 0–255 of `reg8`–`reg15` that is set when the peer's address is in a list. */
  readonly member?: number
  readonly in_port?: Port
  readonly vlan?: number | keyof typeof tagKinds
  readonly dl_src?: Mac
  readonly dl_dst?: Mac | keyof typeof macKinds
  readonly nw_src?: Prefix
  readonly ipv6_src?: Prefix
  readonly arp_spa?: Prefix
  readonly nw_dst?: Prefix
  readonly ipv6_dst?: Prefix
  readonly nw_proto?: number
  readonly arp_op?: number
  readonly arp_sha?: Mac
  readonly nw_ttl?: number
  readonly tp_src?: PortMask
  readonly icmp_type?: number
  readonly tp_dst?: PortMask
  readonly icmp_code?: number
  readonly nd_target?: Prefix
  /** Zero when the packet has no such option. */
  readonly nd_sll?: Mac
  /** Zero when the packet has no such option. */
  readonly nd_tll?: Mac
}

/** One `name=value` (or a keyword) of a match, both ways. `parse` may accept more than `format` writes. */
interface Spelling<Value> {
  format(value: Value): string
  parse(name: string, value: string): Value | undefined
}

type Fields = Required<Match>

/** In the order of the dump of ovs-ofctl 3.1. */
const spellings: { readonly [Field in keyof Fields]: Spelling<Fields[Field]> } = {
  ct_state: simple('ct_state', String, (text) => states.find((state) => state === text)),
  protocol: { format: String, parse: (name) => protocols.find((protocol) => protocol === name) },
  nic: simple('reg5', formatRegisterPort, parseRegisterPort),
  network: simple('reg6', formatHex, parseHex),
  offersDhcp: simple(
    'reg7',
    () => '0',
    (text) => (text === '0' ? false : undefined),
  ),
  member: { format: formatMember, parse: parseMember },
  in_port: simple('in_port', formatPort, parsePort),
  vlan: { format: formatVlan, parse: parseVlan },
  dl_src: mac('dl_src'),
  dl_dst: simple(
    'dl_dst',
    (value) => (isMacKind(value) ? macKinds[value] : value),
    (text) => (text === macKinds.group ? 'group' : text === macKinds.reserved ? 'reserved' : parseMac(text)),
  ),
  nw_src: prefix('nw_src'),
  ipv6_src: prefix('ipv6_src'),
  arp_spa: prefix('arp_spa'),
  nw_dst: prefix('nw_dst'),
  ipv6_dst: prefix('ipv6_dst'),
  nw_proto: decimal('nw_proto'),
  arp_op: decimal('arp_op'),
  arp_sha: mac('arp_sha'),
  nw_ttl: decimal('nw_ttl'),
  tp_src: simple('tp_src', formatMask, parseMask),
  icmp_type: decimal('icmp_type'),
  tp_dst: simple('tp_dst', formatMask, parseMask),
  icmp_code: decimal('icmp_code'),
  nd_target: prefix('nd_target'),
  nd_sll: mac('nd_sll'),
  nd_tll: mac('nd_tll'),
}
const fields = Object.keys(spellings) as readonly (keyof Match)[]

/** The match as ovs-ofctl prints it, without the priority. Ports are names where the match has names. */
export function formatMatch(match: Match): string {
  return fields
    .filter((field) => match[field] !== undefined)
    .map((field) => token(field, match))
    .join(',')
}

function token(field: keyof Match, match: Match): string {
  const spelling = spellings[field] as Spelling<unknown>
  return spelling.format(match[field])
}

/** Reads what `formatMatch` writes, with names or numbers of ports. `undefined` when there is anything else in it (invariant 2). */
export function parseMatch(text: string): Match | undefined {
  const entries = splitList(text).map((part) => {
    const cut = part.indexOf('=')
    const [name, value] = cut < 0 ? [part, ''] : [part.slice(0, cut), part.slice(cut + 1)]
    const field = fieldNamed(name)
    return field === undefined ? undefined : ([field, spellings[field].parse(name, value)] as const)
  })
  const match: Match = Object.fromEntries(entries.filter((entry) => entry !== undefined))
  return entries.length === Object.keys(match).length && formatMatch(match) === text ? match : undefined
}

/** The field that a printed name belongs to. */
function fieldNamed(name: string): keyof Match | undefined {
  if (name === 'reg5') return 'nic'
  if (name === 'reg6') return 'network'
  if (name === 'reg7') return 'offersDhcp'
  if (name === 'dl_vlan' || name === 'vlan_tci') return 'vlan'
  if (/^reg\d+$/.test(name)) return 'member'
  return protocols.some((protocol) => protocol === name) ? 'protocol' : fields.find((field) => field === name)
}

function isMacKind(value: Fields['dl_dst']): value is keyof typeof macKinds {
  return value === 'group' || value === 'reserved'
}

/** Fields that match addresses of `prefix`; none when that is every address, which ovs-ofctl leaves out. */
export function addressIn<Field extends 'nw_src' | 'nw_dst' | 'ipv6_src' | 'ipv6_dst'>(
  field: Field,
  prefix: Prefix,
): Pick<Match, Field> {
  return (prefixBits(prefix) === 0 ? {} : { [field]: prefix }) as Pick<Match, Field>
}

function simple<Value>(
  name: string,
  format: (value: Value) => string,
  parse: (text: string) => Value | undefined,
): Spelling<Value> {
  return { format: (value) => `${name}=${format(value)}`, parse: (_, text) => parse(text) }
}

function decimal(name: string): Spelling<number> {
  return simple(name, String, (text) => (/^(0|[1-9]\d{0,4})$/.test(text) ? Number(text) : undefined))
}

function mac(name: string): Spelling<Mac> {
  return simple(name, String, parseMac)
}

function prefix(name: string): Spelling<Prefix> {
  return simple(name, formatPrefix, parsePrefix)
}

/** A single address stands without its length. Under ::/96 the C library's inet_ntop(3) ends in dotted decimal. */
function formatPrefix(value: Prefix): string {
  const bits = prefixBits(value)
  const address = spellAddress(value)
  return bits === (familyOf(value) === 4 ? 32 : 128) ? address : `${address}/${bits}`
}

function spellAddress(value: Prefix): string {
  const address = prefixAddress(value)
  const number = addressValue(address)
  if (familyOf(address) === 4 || number < 0x10000n || number > 0xffffffffn) return address
  return `::${[24n, 16n, 8n, 0n].map((shift) => (number >> shift) & 0xffn).join('.')}`
}

function formatMember(bit: number): string {
  const mask = formatHex(2 ** (bit % 32))
  return `reg${8 + Math.floor(bit / 32)}=${mask}/${mask}`
}

function parseMember(name: string, text: string): number | undefined {
  const register = Number(name.slice('reg'.length))
  const value = parseHex(text.split('/')[0] ?? '')
  return value === undefined ? undefined : (register - 8) * 32 + Math.floor(Math.log2(value))
}

function formatVlan(vlan: Fields['vlan']): string {
  return typeof vlan === 'number' ? `dl_vlan=${vlan}` : `vlan_tci=${tagKinds[vlan]}`
}

function parseVlan(name: string, text: string): Match['vlan'] {
  if (name === 'dl_vlan') return /^\d{1,4}$/.test(text) ? Number(text) : undefined
  return text === tagKinds.untagged ? 'untagged' : text === tagKinds.tagged ? 'tagged' : undefined
}

function formatMask({ value, mask }: PortMask): string {
  return mask === 0xffff ? `${value}` : `0x${value.toString(16)}/0x${mask.toString(16)}`
}

function parseMask(text: string): PortMask | undefined {
  if (/^\d{1,5}$/.test(text)) return { value: Number(text), mask: 0xffff }
  const [, value, mask] = /^(0x[0-9a-f]{1,4})\/(0x[0-9a-f]{1,4})$/.exec(text) ?? []
  return value === undefined || mask === undefined ? undefined : { value: Number(value), mask: Number(mask) }
}
