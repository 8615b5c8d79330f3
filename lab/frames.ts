import { type Address, addressValue, familyOf } from '../src/net/address.ts'

/**
 * Raw frames, as a guest that lies would build them. Every field is the caller's; only lengths and checksums are right.
 * Addresses are canonical text, MACs `aa:bb:…`.
 */
export const broadcastMac = 'ff:ff:ff:ff:ff:ff'

interface Ends {
  readonly sourceMac: string
  readonly destinationMac: string
}

export function ethernet(ends: Ends, etherType: number, payload: Uint8Array): Uint8Array {
  return Buffer.concat([macBytes(ends.destinationMac), macBytes(ends.sourceMac), u16(etherType), payload])
}

/** The same frame with an 802.1Q tag. */
export function tagged(frame: Uint8Array, vlan: number): Uint8Array {
  return Buffer.concat([frame.subarray(0, 12), u16(0x8100), u16(vlan), frame.subarray(12)])
}

/** RFC 826; 1 asks, 2 answers. A probe for one's own address has the sender address 0.0.0.0 (RFC 5227). */
export function arp(
  ends: Ends & {
    readonly operation: 1 | 2
    readonly senderMac: string
    readonly senderAddress: string
    readonly targetMac?: string
    readonly targetAddress: string
  },
): Uint8Array {
  const payload = [
    Buffer.from([0, 1, 8, 0, 6, 4, 0, ends.operation]),
    macBytes(ends.senderMac),
    addressBytes(ends.senderAddress),
    macBytes(ends.targetMac ?? '00:00:00:00:00:00'),
    addressBytes(ends.targetAddress),
  ]
  return ethernet(ends, 0x0806, Buffer.concat(payload))
}

interface Packet extends Ends {
  readonly source: string
  readonly destination: string
  /** IPv4 time to live, IPv6 hop limit. Default 64. */
  readonly hopLimit?: number
}

/** An IPv4 or IPv6 packet, by the family of `source`. */
export function ip(packet: Packet, protocol: number, payload: Uint8Array): Uint8Array {
  const ends = [addressBytes(packet.source), addressBytes(packet.destination)]
  const hopLimit = packet.hopLimit ?? 64
  if (familyOf(packet.source) === 6) {
    const header = [
      Buffer.from([0x60, 0, 0, 0]),
      u16(payload.length),
      Buffer.from([protocol, hopLimit]),
      ...ends,
    ]
    return ethernet(packet, 0x86dd, Buffer.concat([...header, payload]))
  }
  const start = Buffer.from([0x45, 0, ...u16(20 + payload.length), 0, 1, 0, 0, hopLimit, protocol])
  const sum = checksum(Buffer.concat([start, u16(0), ...ends]))
  return ethernet(packet, 0x0800, Buffer.concat([start, u16(sum), ...ends, payload]))
}

interface Ports {
  readonly sourcePort: number
  readonly destinationPort: number
}

export function udpPacket(
  packet: Packet & Ports,
  payload: Uint8Array = Buffer.from('gitwall\n'),
): Uint8Array {
  const ports = [u16(packet.sourcePort), u16(packet.destinationPort), u16(8 + payload.length)]
  return ip(packet, 17, withChecksum(packet, 17, Buffer.concat([...ports, u16(0), payload]), 6))
}

/** `flags` as in RFC 9293, 3.1: FIN 1, SYN 2, RST 4, PSH 8, ACK 16. Default SYN. */
export function tcpPacket(packet: Packet & Ports & { readonly flags?: number }): Uint8Array {
  const segment = Buffer.alloc(20)
  segment.writeUInt16BE(packet.sourcePort, 0)
  segment.writeUInt16BE(packet.destinationPort, 2)
  segment.writeUInt32BE(1, 4)
  segment[12] = 0x50
  segment[13] = packet.flags ?? 2
  segment.writeUInt16BE(64240, 14)
  return ip(packet, 6, withChecksum(packet, 6, segment, 16))
}

/** `body` is what follows type, code and checksum. */
export function icmp6(packet: Packet, type: number, body: Uint8Array): Uint8Array {
  const message = Buffer.concat([Buffer.from([type, 0, 0, 0]), body])
  return ip({ hopLimit: 255, ...packet }, 58, withChecksum(packet, 58, message, 2))
}

/** "`target` is at `targetMac`", unasked for. RFC 4861, 4.4. */
export function neighbourAdvertisement(
  packet: Packet & { readonly target: string; readonly targetMac: string },
): Uint8Array {
  const override = Buffer.from([0x20, 0, 0, 0])
  const link = Buffer.concat([Buffer.from([2, 1]), macBytes(packet.targetMac)])
  return icmp6(packet, 136, Buffer.concat([override, addressBytes(packet.target), link]))
}

/** "I am your router, and `prefix`/64 is here." RFC 4861, 4.2. */
export function routerAdvertisement(packet: Packet & { readonly prefix: string }): Uint8Array {
  const router = Buffer.from([64, 0, ...u16(1800), 0, 0, 0, 0, 0, 0, 0, 0])
  const seconds = Buffer.from([0, 0, 0x0e, 0x10])
  const option = [
    Buffer.from([3, 4, 64, 0xc0]),
    seconds,
    seconds,
    Buffer.alloc(4),
    addressBytes(packet.prefix),
  ]
  return icmp6(packet, 134, Buffer.concat([router, ...option]))
}

/** A DHCP server's offer of `offered` to `clientMac`. RFC 2131, table 1. */
export function dhcpOffer(
  packet: Packet & { readonly offered: string; readonly clientMac: string },
): Uint8Array {
  const head = Buffer.from([2, 1, 6, 0, 0x67, 0x77, 0, 1, 0, 0, 0x80, 0])
  const addresses = [
    Buffer.alloc(4),
    addressBytes(packet.offered),
    addressBytes(packet.source),
    Buffer.alloc(4),
  ]
  const client = [macBytes(packet.clientMac), Buffer.alloc(10 + 64 + 128)]
  const options = Buffer.from([0x63, 0x82, 0x53, 0x63, 53, 1, 2, 54, 4, ...addressBytes(packet.source), 255])
  const message = Buffer.concat([head, ...addresses, ...client, options])
  return udpPacket({ ...packet, sourcePort: 67, destinationPort: 68 }, message)
}

/** Fills in the checksum over the pseudo header (RFC 9293, 3.1; RFC 8200, 8.1), 0 at `offset` before. */
function withChecksum(packet: Packet, protocol: number, payload: Buffer, offset: number): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(payload.length)
  const pseudo = [
    addressBytes(packet.source),
    addressBytes(packet.destination),
    length,
    Buffer.from([0, 0, 0, protocol]),
  ]
  const sum = checksum(Buffer.concat([...pseudo, payload]))
  // In UDP 0 means "none".
  payload.writeUInt16BE(sum === 0 ? 0xffff : sum, offset)
  return payload
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0
  for (let index = 0; index < bytes.length; index += 2)
    sum += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function addressBytes(address: string): Buffer {
  const digits = familyOf(address) === 4 ? 8 : 32
  return Buffer.from(
    addressValue(address as Address)
      .toString(16)
      .padStart(digits, '0'),
    'hex',
  )
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex')
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
