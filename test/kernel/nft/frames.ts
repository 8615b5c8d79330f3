/** Frames in hex, made by hand, so that they can lie. Addresses as text, numbers in host order. */

import { addressValue, parseAddress } from '../../../src/net/address.ts'
import type { Mac } from '../../../src/net/mac.ts'

export const broadcast = 'ff:ff:ff:ff:ff:ff' as Mac

/** An Ethernet frame, with 802.1Q tags in front of the type if any. */
export function ethernet(
  to: Mac,
  from: Mac,
  type: number,
  payload: string,
  tags: readonly number[] = [],
): string {
  return mac(to) + mac(from) + tags.map((tag) => `8100${u16(tag)}`).join('') + u16(type) + payload
}

export function arp(
  operation: number,
  sender: { mac: Mac; ip: string },
  target: { mac: Mac; ip: string },
): string {
  return `000108000604${u16(operation)}${mac(sender.mac)}${ip(sender.ip)}${mac(target.mac)}${ip(target.ip)}`
}

/** IPv4 with a right header checksum. `fragment`: offset in units of 8 bytes, and whether more follow. */
export function ipv4(
  from: string,
  to: string,
  protocol: number,
  payload: string,
  fragment = { offset: 0, more: false },
): string {
  const flags = (fragment.more ? 0x2000 : 0) | fragment.offset
  const head = (sum: number) =>
    `4500${u16(20 + payload.length / 2)}0001${u16(flags)}40${u8(protocol)}${u16(sum)}${ip(from)}${ip(to)}`
  return head(checksum(head(0))) + payload
}

export function ipv6(from: string, to: string, next: number, payload: string, hopLimit = 255): string {
  return `60000000${u16(payload.length / 2)}${u8(next)}${u8(hopLimit)}${ip(from)}${ip(to)}${payload}`
}

/** UDP with a right checksum over the pseudo header. */
export function udp(
  from: { ip: string; port: number },
  to: { ip: string; port: number },
  data: string,
): string {
  const length = 8 + data.length / 2
  const head = (sum: number) => `${u16(from.port)}${u16(to.port)}${u16(length)}${u16(sum)}${data}`
  return head(checksum(pseudo(from.ip, to.ip, 17, length) + head(0)))
}

/** ICMPv6 of `type`, code 0, with a right checksum; `body` is all that follows the checksum. */
export function icmp6(from: string, to: string, type: number, body: string): string {
  const head = (sum: number) => `${u8(type)}00${u16(sum)}${body}`
  return head(checksum(pseudo(from, to, 58, 4 + body.length / 2) + head(0)))
}

/** A fragment header: RFC 8200, 4.5. */
export function fragmentHeader(next: number, { offset, more }: { offset: number; more: boolean }): string {
  return `${u8(next)}00${u16((offset << 3) | (more ? 1 : 0))}00004777`
}

/** A destination options header of `words` times 8 bytes, all padding. */
export function optionsHeader(next: number, words: number): string {
  const padding = words * 8 - 4
  return `${u8(next)}${u8(words - 1)}01${u8(padding)}${'00'.repeat(padding)}`
}

/** A link-layer address option: type 1 is the source's, 2 the target's. RFC 4861, 4.6.1. */
export function linkOption(type: 1 | 2, address: Mac): string {
  return `0${type}01${mac(address)}`
}

export function ip(text: string): string {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`not an address: ${text}`)
  return addressValue(address)
    .toString(16)
    .padStart(text.includes(':') ? 32 : 8, '0')
}

export function mac(address: Mac): string {
  return address.replaceAll(':', '')
}

function u8(value: number): string {
  return value.toString(16).padStart(2, '0')
}

function u16(value: number): string {
  return value.toString(16).padStart(4, '0')
}

function pseudo(from: string, to: string, protocol: number, length: number): string {
  return ip(from) + ip(to) + u16(0) + u16(length) + u16(0) + u16(protocol)
}

/** RFC 1071. */
function checksum(hex: string): number {
  const padded = hex.length % 4 === 0 ? hex : `${hex}00`
  let sum = 0
  for (let at = 0; at < padded.length; at += 4) sum += Number.parseInt(padded.slice(at, at + 4), 16)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
  return ~sum & 0xffff
}
