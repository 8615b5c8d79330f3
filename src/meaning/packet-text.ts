import { familyOf, parseAddress } from '../net/address.ts'
import { type Mac, parseMac } from '../net/mac.ts'
import type { Tracking } from './frame.ts'
import type { Packet } from './packet.ts'

/** A packet at one host's edge: where it comes in and leaves, and what conntrack says of it. */
export interface PacketText {
  /** Bridge, or interface for a packet to the hypervisor itself. */
  readonly bridge: string
  readonly inPort: string
  /** On a Linux bridge the port it would leave by; absent: to the hypervisor itself. */
  readonly outPort?: string
  readonly sourceMac: Mac
  readonly destinationMac: Mac
  readonly packet: Packet
  readonly tracking: Tracking
}

const protocols: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmp6: 58 }
const trackings: readonly Tracking[] = [
  'new',
  'request',
  'reply',
  'related',
  'related-reply',
  'invalid',
  'untracked',
]
const names = [
  'bridge',
  'in',
  'out',
  'dl_src',
  'dl_dst',
  'src',
  'dst',
  'proto',
  'sport',
  'dport',
  'type',
  'code',
  'ct',
] as const

/** What `parsePacket` takes, for help and errors. */
export const packetSyntax =
  'bridge=br0,in=tap1i0,out=eth0,dl_src=MAC,dl_dst=MAC,src=ADDRESS,dst=ADDRESS,proto=tcp,sport=1,dport=443,ct=new'

/** Reads `key=value,…`; see `packetSyntax`. `ct` is `new` unless said. Gives back what is wrong as text. */
export function parsePacket(text: string): PacketText | string {
  const fields = new Map<string, string>()
  for (const part of text.split(',')) {
    const [, name = '', value = ''] = /^([a-z_]+)=(.+)$/.exec(part.trim()) ?? []
    if (!names.some((known) => known === name)) return `"${part}" is not a field: known: ${names.join(', ')}`
    fields.set(name, value)
  }
  const addresses = ['src', 'dst'].map((name) => parseAddress(fields.get(name) ?? ''))
  const macs = ['dl_src', 'dl_dst'].map((name) => parseMac(fields.get(name) ?? ''))
  const [source, destination] = addresses
  const [sourceMac, destinationMac] = macs
  if (source === undefined || destination === undefined) return '"src" and "dst" must be addresses'
  if (familyOf(source) !== familyOf(destination)) return '"src" and "dst" must be of one family'
  if (sourceMac === undefined || destinationMac === undefined) return '"dl_src" and "dl_dst" must be MACs'
  const numbers = numbersOf(fields)
  if (typeof numbers === 'string') return numbers
  const tracking = trackings.find((known) => known === (fields.get('ct') ?? 'new'))
  if (tracking === undefined) return `"ct" is one of ${trackings.join(', ')}`
  const [bridge, inPort, outPort] = [fields.get('bridge'), fields.get('in'), fields.get('out')]
  if (bridge === undefined || inPort === undefined) return '"bridge" and "in" must be said'
  const packet: Packet = { source, destination, ...numbers }
  return {
    bridge,
    inPort,
    ...(outPort === undefined ? {} : { outPort }),
    sourceMac,
    destinationMac,
    packet,
    tracking,
  }
}

function numbersOf(fields: ReadonlyMap<string, string>): Omit<Packet, 'source' | 'destination'> | string {
  const word = fields.get('proto') ?? ''
  const protocol = protocols[word] ?? numberOf(word, 255)
  if (protocol === undefined) return `"proto" is ${Object.keys(protocols).join(', ')} or a number up to 255`
  const read = (name: string, most: number) => {
    const value = fields.get(name)
    return value === undefined ? undefined : (numberOf(value, most) ?? Number.NaN)
  }
  const [sourcePort, destinationPort] = [read('sport', 65_535), read('dport', 65_535)]
  const [icmpType, icmpCode] = [read('type', 255), read('code', 255)]
  if ([sourcePort, destinationPort, icmpType, icmpCode].some((value) => Number.isNaN(value)))
    return 'ports are numbers up to 65535, ICMP types and codes up to 255'
  return {
    protocol,
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
    ...(icmpType === undefined ? {} : { icmpType }),
    ...(icmpCode === undefined ? {} : { icmpCode }),
  }
}

function numberOf(text: string, most: number): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= most ? Number(text) : undefined
}
