import { type Family, addressBits } from '../../net/address.ts'
import { readAddress, readInteger } from './names.ts'
import { type Truth, doubt } from './truth.ts'

/** What the kernel's routing calls an address. */
export type AddressType = 'LOCAL' | 'UNICAST' | 'BROADCAST' | 'MULTICAST'

/** The types an address may have, as far as is known. */
export type AddressTypes = (address: bigint, family: Family) => ReadonlySet<AddressType>

/**
 * Types by the host's own addresses with their lengths (`10.0.0.254/24`). Without them an address that is not multicast may be anything:
 * the host's own, or the broadcast of one of its networks; but no network's broadcast address is odd in one of its last two
 * bits only.
 */
export function addressTypes(own: readonly string[] | undefined): AddressTypes {
  const prefixes = (own ?? []).map(readOwn).filter((prefix) => prefix !== undefined)
  return (address, family) => {
    const isMulticast = family === 4 ? address >> 28n === 0xen : address >> 120n === 0xffn
    if (isMulticast) return only.MULTICAST
    if (family === 4 && (address === 0xffffffffn || address >> 24n === 0n)) return only.BROADCAST
    if (own === undefined) {
      const mayBeBroadcast = family === 4 && ((address & 3n) === 3n || (address & 3n) === 0n)
      return mayBeBroadcast ? anything : host
    }
    const ofFamily = prefixes.filter((prefix) => prefix.family === family)
    if ((family === 4 && address >> 24n === 127n) || ofFamily.some(({ value }) => value === address))
      return only.LOCAL
    return family === 4 && ofFamily.some(({ broadcast }) => broadcast === address)
      ? only.BROADCAST
      : only.UNICAST
  }
}

const only: Readonly<Record<AddressType, ReadonlySet<AddressType>>> = {
  LOCAL: new Set(['LOCAL']),
  UNICAST: new Set(['UNICAST']),
  BROADCAST: new Set(['BROADCAST']),
  MULTICAST: new Set(['MULTICAST']),
}
const host: ReadonlySet<AddressType> = new Set(['LOCAL', 'UNICAST'])
const anything: ReadonlySet<AddressType> = new Set(['LOCAL', 'UNICAST', 'BROADCAST'])

/** Is the type of the address among `wanted`? */
export function isOfType(possible: ReadonlySet<AddressType>, wanted: ReadonlySet<string>): Truth {
  const hits = [...possible].filter((type) => wanted.has(type)).length
  if (hits === possible.size) return true
  return hits === 0 ? false : unsure
}

const unsure = doubt("whether the address is the host's own")

function readOwn(
  text: string,
): { readonly family: Family; readonly value: bigint; readonly broadcast: bigint | undefined } | undefined {
  const [address = '', length = ''] = text.split('/')
  const read = readAddress(address)
  if (read === undefined) return undefined
  const bits = readInteger(length, addressBits(read.family)) ?? addressBits(read.family)
  const hostBits = (1n << BigInt(addressBits(read.family) - bits)) - 1n
  return { ...read, broadcast: bits < 31 ? read.value | hostBits : undefined }
}
