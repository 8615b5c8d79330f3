import { type Address, addressValue, familyOf } from '../../../src/net/address.ts'
import type { ArpPacket, Frame, IpPacket } from '../../../src/meaning/frame.ts'

/** The frame in hex, as it would be on a wire: written from the RFCs, and knowing nothing of the simulator. */
export function frameHex(frame: Frame): string {
  const tag = frame.vlan === undefined ? '' : `8100${hex(frame.vlan, 2)}`
  return mac(frame.destinationMac) + mac(frame.sourceMac) + tag + hex(frame.etherType, 2) + payload(frame)
}

function payload({ payload: inner }: Frame): string {
  switch (inner.kind) {
    case 'arp':
      return arp(inner.arp)
    case 'ip':
      return familyOf(inner.ip.source) === 4 ? ipv4(inner.ip) : ipv6(inner.ip)
    case 'other':
      return '00'.repeat(46)
  }
}

function arp({ operation, senderMac, senderAddress, targetMac, targetAddress }: ArpPacket): string {
  return `000108000604${hex(operation, 2)}${mac(senderMac)}${address(senderAddress)}${mac(targetMac)}${address(targetAddress)}`
}

/** RFC 791. The offset of a later fragment is 185 times 8 bytes. Open vSwitch checks no sum. */
function ipv4(ip: IpPacket): string {
  const body = transport(ip)
  const flags = { no: 0x4000, first: 0x2000, later: 185 }[ip.fragment]
  const start = `4500${hex(20 + body.length / 2, 2)}0001${hex(flags, 2)}${hex(ip.hopLimit, 1)}${hex(ip.protocol, 1)}0000`
  return start + address(ip.source) + address(ip.destination) + body
}

/** RFC 8200; a fragment has a header of its own, 4.5. */
function ipv6(ip: IpPacket): string {
  const body = transport(ip)
  const offset = { no: 0, first: 1, later: 185 * 8 }[ip.fragment]
  const extension = ip.fragment === 'no' ? '' : `${hex(ip.protocol, 1)}00${hex(offset, 2)}00000001`
  const next = ip.fragment === 'no' ? ip.protocol : 44
  const length = (extension + body).length / 2
  return `60000000${hex(length, 2)}${hex(next, 1)}${hex(ip.hopLimit, 1)}${address(ip.source)}${address(ip.destination)}${extension}${body}`
}

function transport({ protocol, ports, icmp, fragment }: IpPacket): string {
  const data = '5a'.repeat(24)
  if (fragment === 'later') return data
  const both = `${hex(ports?.source ?? 0, 2)}${hex(ports?.destination ?? 0, 2)}`
  switch (protocol) {
    case 6:
      return `${both}0000000100000000${hex(0x5000 | (ports?.tcpFlags ?? 0), 2)}ffff00000000${data}`
    case 17:
      return `${both}${hex(8 + data.length / 2, 2)}0000${data}`
    case 132:
      return `${both}0000000000000000${data}`
    case 1:
      return `${hex(icmp?.type ?? 0, 1)}${hex(icmp?.code ?? 0, 1)}000000000000${data}`
    case 58:
      return `${hex(icmp?.type ?? 0, 1)}${hex(icmp?.code ?? 0, 1)}000000000000${neighbour(icmp) ?? data}`
    default:
      return data
  }
}

/** RFC 4861: the target of types 135 and 136, and its option 1 or 2. */
function neighbour(icmp: IpPacket['icmp']): string | undefined {
  if (icmp?.target === undefined) return undefined
  const option = icmp.link === undefined ? '' : `${icmp.type === 135 ? '01' : '02'}01${mac(icmp.link)}`
  return address(icmp.target) + option
}

function address(text: Address): string {
  return addressValue(text)
    .toString(16)
    .padStart(familyOf(text) === 4 ? 8 : 32, '0')
}

function mac(text: string): string {
  return text.replaceAll(':', '')
}

function hex(value: number, bytes: number): string {
  return value.toString(16).padStart(bytes * 2, '0')
}
