import { type Address, formatAddress } from './address.ts'

/** A 48-bit Ethernet address in its one spelling: lower case, colons. */
export type Mac = string & { readonly __brand: 'Mac' }

/** Reads `aa:bb:cc:dd:ee:ff` or `aa-bb-…`, any case. `undefined` when it is not one. */
export function parseMac(text: string): Mac | undefined {
  const lower = text.toLowerCase().replaceAll('-', ':')
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(lower) ? (lower as Mac) : undefined
}

/** Is it a group address (broadcast or multicast)? Such a MAC is never a source. IEEE 802: lowest bit of the first octet. */
export function isGroupMac(mac: Mac): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1
}

/** The IPv6 link-local address that stateless autoconfiguration makes of a MAC. RFC 4291, appendix A. */
export function linkLocal(mac: Mac): Address {
  const value = BigInt(`0x${mac.replaceAll(':', '')}`)
  const high = (value >> 24n) ^ 0x020000n
  const eui64 = ((high & 0xffffffn) << 40n) | (0xfffen << 24n) | (value & 0xffffffn)
  return formatAddress((0xfe80n << 112n) | eui64, 6)
}
