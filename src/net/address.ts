import { isIPv4, isIPv6 } from 'node:net'

/** IP version. `4` is 32 bits, `6` is 128 bits. */
export type Family = 4 | 6

/** One IPv4 or IPv6 address in its one spelling (RFC 5952 for IPv6, lower case): `===` is equality. */
export type Address = string & { readonly __brand: 'Address' }

/** Number of bits of an address of `family`. */
export function addressBits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128
}

/** Family of a canonical address or prefix. */
export function familyOf(text: Address | string): Family {
  return text.includes(':') ? 6 : 4
}

/**
 * Reads an address strictly: no zone, no leading zeros, no IPv4-mapped IPv6 (`::ffff:0:0/96` would let one packet have two
 * spellings). `undefined` when it is not one.
 */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return text as Address
  if (!isIPv6(text) || text.includes('%')) return undefined
  const value = parseV6(text)
  if (value >> 32n === 0xffffn) return undefined
  return formatAddress(value, 6)
}

/** The address as an unsigned integer, most significant bit first. */
export function addressValue(address: Address): bigint {
  return familyOf(address) === 4 ? parseV4(address) : parseV6(address)
}

/** The canonical spelling of `value`. */
export function formatAddress(value: bigint, family: Family): Address {
  return (family === 4 ? formatV4(value) : formatV6(value)) as Address
}

// A fleet has some hundred thousand addresses: 32 bits at a time are plain numbers, ten times faster than BigInt all the way.

function parseV4(text: string): bigint {
  return BigInt(text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0))
}

function formatV4(value: bigint): string {
  const word = Number(value)
  return `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}`
}

function parseV6(text: string): bigint {
  const plain = text.includes('.') ? v4TailAsHex(text) : text
  const [head = '', tail] = plain.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right].map((group) =>
    Number.parseInt(group, 16),
  )
  return [0, 2, 4, 6].reduce(
    (sum, at) => (sum << 32n) | BigInt((groups[at] ?? 0) * 0x1_0000 + (groups[at + 1] ?? 0)),
    0n,
  )
}

function v4TailAsHex(text: string): string {
  const cut = text.lastIndexOf(':') + 1
  const value = parseV4(text.slice(cut))
  return `${text.slice(0, cut)}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`
}

/** RFC 5952: lower case, no leading zeros, the longest run of at least two zero groups as `::`, the first one of equals. */
function formatV6(value: bigint): string {
  const groups = [96n, 64n, 32n, 0n].flatMap((shift) => {
    const word = Number((value >> shift) & 0xffff_ffffn)
    return [word >>> 16, word & 0xffff]
  })
  let best = { start: 0, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (start + length < 8 && groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  const hex = groups.map((group) => group.toString(16))
  if (best.length < 2) return hex.join(':')
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`
}
