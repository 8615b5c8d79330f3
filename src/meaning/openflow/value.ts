import { isIPv4, isIPv6 } from 'node:net'
import { addressValue } from '../../net/address.ts'
import type { Address } from '../../net/address.ts'
import { parseMac } from '../../net/mac.ts'
import type { Field } from './field.ts'

/** A value under a mask, both as wide as the field. */
export interface Masked {
  readonly value: bigint
  readonly mask: bigint
}

/** Number of a port by its name, in the bridge at hand. */
export type PortNumbers = (name: string) => number | undefined

/** Ports that OpenFlow reserves, by their numbers of OpenFlow 1.0. See ovs-actions(7), "Port Specifications". */
export const reservedPorts = {
  inPort: 0xfff8,
  table: 0xfff9,
  normal: 0xfffa,
  flood: 0xfffb,
  all: 0xfffc,
  controller: 0xfffd,
  local: 0xfffe,
  none: 0xffff,
} as const

const reservedByName: ReadonlyMap<string, number> = new Map([
  ['in_port', reservedPorts.inPort],
  ['table', reservedPorts.table],
  ['normal', reservedPorts.normal],
  ['flood', reservedPorts.flood],
  ['all', reservedPorts.all],
  ['controller', reservedPorts.controller],
  ['local', reservedPorts.local],
  ['none', reservedPorts.none],
  ['any', reservedPorts.none],
])

/** Reads a value of `field` as ovs-ofctl prints it in matches and in `set_field`; `undefined` when it is none. */
export function parseValue(field: Field, text: string, portNumber: PortNumbers): Masked | undefined {
  const all = (1n << BigInt(field.width)) - 1n
  if (text === 'ANY') return { value: 0n, mask: 0n }
  const masked = parseFormat(field, text, all, portNumber)
  if (masked === undefined || masked.value > all || masked.mask > all) return undefined
  return { value: masked.value & masked.mask, mask: masked.mask }
}

function parseFormat(field: Field, text: string, all: bigint, portNumber: PortNumbers): Masked | undefined {
  switch (field.format) {
    case 'number':
      return withMask(text, all, parseNumber)
    case 'mac':
      return withMask(text, all, parseMacValue)
    case 'ipv4':
      return withMask(text, all, parseIpv4, (bits) => prefixMask(bits, 32))
    case 'ipv6':
      return withMask(text, all, parseIpv6, (bits) => prefixMask(bits, 128))
    case 'port': {
      const port = parsePort(text, portNumber)
      return port === undefined ? undefined : { value: BigInt(port), mask: all }
    }
    case 'ct-state':
      return parseFlags(text, all, ctStateFlags)
    case 'tcp-flags':
      return parseFlags(text, all, tcpFlags)
    case 'tunnel-flags':
      return parseFlags(text, all, tunnelFlags)
    case 'fragment':
      return fragments.get(text) ?? withMask(text, all, parseNumber)
  }
}

function withMask(
  text: string,
  all: bigint,
  parse: (text: string) => bigint | undefined,
  parseShortMask: (text: string) => bigint | undefined = () => undefined,
): Masked | undefined {
  const cut = text.indexOf('/')
  const value = parse(cut < 0 ? text : text.slice(0, cut))
  if (value === undefined) return undefined
  if (cut < 0) return { value, mask: all }
  const maskText = text.slice(cut + 1)
  const mask = parseShortMask(maskText) ?? parse(maskText)
  return mask === undefined ? undefined : { value, mask }
}

/** Reads `7` or `0x7`, up to 128 bits. */
export function parseNumber(text: string): bigint | undefined {
  return /^(0x[0-9a-fA-F]{1,32}|\d{1,20})$/.test(text) ? BigInt(text) : undefined
}

/** Reads a number that fits 32 bits. */
export function parseSmallNumber(text: string): number | undefined {
  const number = parseNumber(text)
  return number === undefined || number > 0xffffffffn ? undefined : Number(number)
}

function parseMacValue(text: string): bigint | undefined {
  const mac = parseMac(text)
  return mac === undefined ? undefined : BigInt(`0x${mac.replaceAll(':', '')}`)
}

function parseIpv4(text: string): bigint | undefined {
  return isIPv4(text) ? addressValue(text as Address) : undefined
}

/** IPv4-mapped addresses too, which `parseAddress` has no spelling for. */
function parseIpv6(text: string): bigint | undefined {
  return isIPv6(text) && !text.includes('%') ? addressValue(text as Address) : undefined
}

function prefixMask(text: string, width: 32 | 128): bigint | undefined {
  if (!/^\d{1,3}$/.test(text) || Number(text) > width) return undefined
  const free = BigInt(width - Number(text))
  return ((1n << BigInt(width)) - 1n) & ~((1n << free) - 1n)
}

/** Reads a number, a reserved name in any case, or a name of the bridge, quoted as in JSON where it is unusual. */
export function parsePort(text: string, portNumber: PortNumbers): number | undefined {
  if (/^(0x[0-9a-fA-F]{1,8}|\d{1,10})$/.test(text)) return foldPort(Number(text))
  if (!text.startsWith('"')) return reservedByName.get(text.toLowerCase()) ?? portNumber(text)
  try {
    const name: unknown = JSON.parse(text)
    return typeof name === 'string' ? portNumber(name) : undefined
  } catch {
    return undefined
  }
}

/** OpenFlow 1.1 and later count reserved ports down from 0xffffffff, OpenFlow 1.0 from 0xffff. */
function foldPort(number: number): number | undefined {
  if (number <= 0xffff) return number
  return number >= 0xffffff00 && number <= 0xffffffff ? number - 0xffff0000 : undefined
}

/** Flags of ovs-fields(7), "Connection Tracking State Field". */
export const ctState = {
  new: 0x01,
  established: 0x02,
  related: 0x04,
  reply: 0x08,
  invalid: 0x10,
  tracked: 0x20,
  sourceTranslated: 0x40,
  destinationTranslated: 0x80,
} as const

const ctStateFlags: ReadonlyMap<string, bigint> = new Map([
  ['new', 0x01n],
  ['est', 0x02n],
  ['rel', 0x04n],
  ['rpl', 0x08n],
  ['inv', 0x10n],
  ['trk', 0x20n],
  ['snat', 0x40n],
  ['dnat', 0x80n],
])

const tcpFlags: ReadonlyMap<string, bigint> = new Map(
  ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns', '[200]', '[400]', '[800]'].map(
    (name, bit): [string, bigint] => [name, 1n << BigInt(bit)],
  ),
)

const tunnelFlags: ReadonlyMap<string, bigint> = new Map([['oam', 1n]])

/** Reads `+trk-new`, where other flags do not matter, or all of them as `new|trk` or a number, or `flags/mask`. */
function parseFlags(text: string, all: bigint, flags: ReadonlyMap<string, bigint>): Masked | undefined {
  if (/^[+-]/.test(text)) return parseSignedFlags(text, flags)
  const number = withMask(text, all, parseNumber)
  if (number !== undefined) return number
  const bits = text.split('|').map((name) => flags.get(name))
  return bits.every((bit) => bit !== undefined)
    ? { value: bits.reduce((sum, bit) => sum | bit, 0n), mask: all }
    : undefined
}

function parseSignedFlags(text: string, flags: ReadonlyMap<string, bigint>): Masked | undefined {
  let value = 0n
  let mask = 0n
  for (const part of text.match(/[+-][^+-]*/g) ?? []) {
    const bit = flags.get(part.slice(1))
    if (bit === undefined) return undefined
    mask |= bit
    if (part.startsWith('+')) value |= bit
  }
  return { value, mask }
}

/** Bit 0: a fragment, bit 1: not the first one. See ovs-fields(7), `ip_frag`. */
const fragments: ReadonlyMap<string, Masked> = new Map([
  ['no', { value: 0n, mask: 3n }],
  ['yes', { value: 1n, mask: 1n }],
  ['first', { value: 1n, mask: 3n }],
  ['later', { value: 3n, mask: 3n }],
  ['not_later', { value: 0n, mask: 2n }],
])
