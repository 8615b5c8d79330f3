import { type Address, addressValue, familyOf } from '../../../src/net/address.ts'
import type { Frame, IpPacket } from '../../../src/meaning/frame.ts'

/**
 * The frame in hex, with right lengths and checksums, as a sender would put it on the wire. `serial` makes it one of its kind: it is
 * the IPv4 identification, the IPv6 flow label, and stands in the data.
 */
export function bytesOf(frame: Frame, serial: number): string {
  const tag = frame.vlan === undefined ? '' : `8100${u16(frame.vlan)}`
  return (
    mac(frame.destinationMac) + mac(frame.sourceMac) + tag + u16(frame.etherType) + payloadOf(frame, serial)
  )
}

/** Of an IP packet only what follows its Ethernet header. */
export function ipBytesOf(frame: Frame, serial: number): string {
  return payloadOf(frame, serial)
}

/** What follows its IP header. */
export function transportBytesOf(frame: Frame, serial: number): string {
  return frame.payload.kind === 'ip' ? transport(frame.payload.ip, serial) : ''
}

function payloadOf({ payload }: Frame, serial: number): string {
  switch (payload.kind) {
    case 'ip':
      return familyOf(payload.ip.source) === 4 ? ipv4(payload.ip, serial) : ipv6(payload.ip, serial)
    case 'arp': {
      const { operation, senderMac, senderAddress, targetMac, targetAddress } = payload.arp
      const ends = mac(senderMac) + ip(senderAddress) + mac(targetMac) + ip(targetAddress)
      // 18 bytes of padding, as the shortest frame has 60 without its checksum.
      return `000108000604${u16(operation)}${ends}${data(serial)}${'00'.repeat(10)}`
    }
    case 'other':
      return data(serial).repeat(6)
  }
}

function ipv4(packet: IpPacket, serial: number): string {
  const body = transport(packet, serial)
  const flags = packet.fragment === 'no' ? 0 : packet.fragment === 'first' ? 0x2000 : 3
  const head = (sum: number) =>
    `4500${u16(20 + body.length / 2)}${u16(serial & 0xffff)}${u16(flags)}${u8(packet.hopLimit)}${u8(packet.protocol)}` +
    `${u16(sum)}${ip(packet.source)}${ip(packet.destination)}`
  return head(checksum(head(0))) + body
}

function ipv6(packet: IpPacket, serial: number): string {
  const inner = transport(packet, serial)
  const offset = packet.fragment === 'first' ? 1 : 3 << 3
  const fragment = `${u8(packet.protocol)}00${u16(offset)}${data(serial).slice(0, 8)}`
  const body = packet.fragment === 'no' ? inner : fragment + inner
  const next = packet.fragment === 'no' ? packet.protocol : 44
  const ends = ip(packet.source) + ip(packet.destination)
  return `60${(serial & 0xfffff).toString(16).padStart(6, '0')}${u16(body.length / 2)}${u8(next)}${u8(packet.hopLimit)}${ends}${body}`
}

/** 8 bytes that no other frame of the batch has. */
function data(serial: number): string {
  return `c0ffee${serial.toString(16).padStart(10, '0')}`
}

function transport(packet: IpPacket, serial: number): string {
  const { protocol, ports, icmp } = packet
  if (packet.fragment === 'later') return data(serial).repeat(2)
  if (ports !== undefined && protocol === 6) {
    const head = (sum: number) =>
      `${u16(ports.source)}${u16(ports.destination)}${'00000001'.repeat(2)}50${u8(ports.tcpFlags ?? 2)}ffff${u16(sum)}0000${data(serial)}`
    return head(checksum(pseudo(packet, 28) + head(0)))
  }
  if (ports !== undefined && protocol === 17) {
    const head = (sum: number) =>
      `${u16(ports.source)}${u16(ports.destination)}0010${u16(sum)}${data(serial)}`
    return head(checksum(pseudo(packet, 16) + head(0)) || 0xffff)
  }
  // SCTP: an INIT chunk (RFC 9260, 3.3.2); its checksum is not that of RFC 1071, and br_netfilter alone does not ask.
  if (ports !== undefined)
    return `${u16(ports.source)}${u16(ports.destination)}${'00'.repeat(8)}01000014${data(serial)}0001000100000001`
  if (icmp !== undefined) {
    const body = icmpBody(icmp, serial)
    const head = (sum: number) => `${u8(icmp.type)}${u8(icmp.code)}${u16(sum)}${body}`
    return head(checksum((protocol === 58 ? pseudo(packet, 4 + body.length / 2) : '') + head(0)))
  }
  return data(serial).repeat(4)
}

/** What follows the checksum: of discovery its fields, of an echo its identifier. */
function icmpBody({ type, target, link }: NonNullable<IpPacket['icmp']>, serial: number): string {
  const option = (kind: number) => (link === undefined ? '' : `${u8(kind)}01${mac(link)}`)
  switch (target === undefined && type !== 133 ? undefined : type) {
    case 133:
      return `00000000${option(1)}`
    case 135:
      return `00000000${ip(target as Address)}${option(1)}`
    case 136:
      return `20000000${ip(target as Address)}${option(2)}`
    case 137:
      return `00000000${ip(target as Address)}${ip(target as Address)}`
    default:
      return `${u16(serial & 0xffff)}0001${data(serial)}`
  }
}

function pseudo(packet: IpPacket, length: number): string {
  return `${ip(packet.source)}${ip(packet.destination)}${u16(0)}${u16(length)}${u16(0)}${u16(packet.protocol)}`
}

function ip(address: Address): string {
  return addressValue(address)
    .toString(16)
    .padStart(familyOf(address) === 4 ? 8 : 32, '0')
}

function mac(address: string): string {
  return address.replaceAll(':', '')
}

function u8(value: number): string {
  return value.toString(16).padStart(2, '0')
}

function u16(value: number): string {
  return value.toString(16).padStart(4, '0')
}

/** RFC 1071. */
function checksum(hex: string): number {
  const padded = hex.length % 4 === 0 ? hex : `${hex}00`
  let sum = 0
  for (let at = 0; at < padded.length; at += 4) sum += Number.parseInt(padded.slice(at, at + 4), 16)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
  return ~sum & 0xffff
}
