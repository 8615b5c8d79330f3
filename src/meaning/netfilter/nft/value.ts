import { parseMac } from '../../../net/mac.ts'
import { macValue } from '../passage.ts'
import { prefixMask, protocolNumber, readAddress } from '../names.ts'

/** What a field holds: a number of some width, or a name. */
export type Value = bigint | string

/** How a field's values are written. */
export interface ValueType {
  readonly name: string
  /** Width of numbers; 0 for names. */
  readonly bits: number
  /** Does a plain value ask for any of its bits, as flags do, instead of for equality? */
  readonly isFlags: boolean
  readonly read: (text: string) => Value | undefined
}

/** Part of an element: the values it stands for. */
export type Pattern =
  | { readonly kind: 'exact'; readonly value: Value }
  | { readonly kind: 'range'; readonly first: bigint; readonly last: bigint }
  /** Names that begin so: `"tap*"`. */
  | { readonly kind: 'beginning'; readonly text: string }
  | { readonly kind: 'any' }

/** Numbers, with names for some. */
export function numberType(
  name: string,
  bits: number,
  symbols: Readonly<Record<string, number>> = {},
): ValueType {
  return {
    name,
    bits,
    isFlags: false,
    read: (text) =>
      readNumber(text, bits) ?? (Object.hasOwn(symbols, text) ? BigInt(symbols[text] ?? 0) : undefined),
  }
}

/** Numbers of which every bit is a flag with a name. */
export function flagType(name: string, bits: number, symbols: Readonly<Record<string, number>>): ValueType {
  return { ...numberType(name, bits, symbols), isFlags: true }
}

export const addressType4: ValueType = addressTypeOf(4)
export const addressType6: ValueType = addressTypeOf(6)

function addressTypeOf(family: 4 | 6): ValueType {
  return {
    name: `ipv${family}_addr`,
    bits: family === 4 ? 32 : 128,
    isFlags: false,
    read: (text) => {
      const address = readAddress(text)
      return address?.family === family ? address.value : undefined
    },
  }
}

export const macType: ValueType = {
  name: 'ether_addr',
  bits: 48,
  isFlags: false,
  read: (text) => {
    const mac = parseMac(text)
    return mac === undefined ? undefined : macValue(mac)
  },
}

/** A device by name. An index that has no device any more is printed as a number, and says nothing. */
export const interfaceType: ValueType = {
  name: 'ifname',
  bits: 0,
  isFlags: false,
  read: (text) => (/^\d+$/.test(text) ? undefined : text),
}

export const protocolType: ValueType = {
  name: 'inet_proto',
  bits: 8,
  isFlags: false,
  read: (text) => {
    const number = protocolNumber(text)
    return number === undefined ? undefined : BigInt(number)
  },
}

/** Of a field that we do not read. */
export const opaqueType: ValueType = { name: 'opaque', bits: 0, isFlags: false, read: () => undefined }

function readNumber(text: string, bits: number): bigint | undefined {
  if (!/^(?:\d{1,39}|0x[0-9a-f]{1,64})$/i.test(text)) return undefined
  const value = BigInt(text)
  return bits === 0 || value >> BigInt(bits) === 0n ? value : undefined
}

/** `10.0.0.0/8`, `1024-65535`, `"tap*"`, `*`, or a plain value. `undefined` when it is none of them. */
export function readPattern(text: string, type: ValueType): Pattern | undefined {
  if (type.bits === 0 && text.endsWith('*') && type !== opaqueType)
    return { kind: 'beginning', text: text.slice(0, -1) }
  const value = type.read(text)
  if (value !== undefined) return { kind: 'exact', value }
  if (type.bits === 0) return undefined
  const [, base = '', length] = /^(.*)\/(\d{1,3})$/.exec(text) ?? []
  if (length !== undefined) return prefixPattern(base, Number(length), type)
  for (let dash = text.indexOf('-'); dash >= 0; dash = text.indexOf('-', dash + 1)) {
    const [first, last] = [type.read(text.slice(0, dash)), type.read(text.slice(dash + 1))]
    if (typeof first === 'bigint' && typeof last === 'bigint') return { kind: 'range', first, last }
  }
  return undefined
}

function prefixPattern(base: string, length: number, type: ValueType): Pattern | undefined {
  const value = type.read(base)
  if (typeof value !== 'bigint' || length > type.bits) return undefined
  const mask = prefixMask(length, type.bits)
  const first = value & mask
  return { kind: 'range', first, last: first + (1n << BigInt(type.bits - length)) - 1n }
}

/** Is the value one of the pattern's? */
export function matchesPattern(pattern: Pattern, value: Value): boolean {
  switch (pattern.kind) {
    case 'exact':
      return pattern.value === value
    case 'range':
      return typeof value === 'bigint' && pattern.first <= value && value <= pattern.last
    case 'beginning':
      return typeof value === 'string' && value.startsWith(pattern.text)
    case 'any':
      return true
  }
}
