import { type Address, addressBits, addressValue, familyOf, formatAddress } from './address.ts'
import { type Prefix, contains, prefixAddress, prefixBits } from './prefix.ts'

/**
 * One address for every class of addresses in `prefix` that `lists` tell apart: a verdict that depends on addresses only
 * through membership in prefixes of `lists` is constant within a class. Ascending, canonical.
 */
export function representatives(prefix: Prefix, lists: readonly Prefix[]): readonly Address[] {
  const family = familyOf(prefix)
  const limit = 1n << BigInt(addressBits(family))
  const starts = lists
    .filter((other) => familyOf(other) === family)
    .flatMap((other) => [
      addressValue(prefixAddress(other)),
      addressValue(prefixAddress(other)) + sizeOf(other),
    ])
    .filter((value) => value < limit)
    .map((value) => formatAddress(value, family))
    .filter((address) => contains(prefix, address))
  return [...new Set([prefixAddress(prefix), ...starts])]
}

function sizeOf(prefix: Prefix): bigint {
  return 1n << BigInt(addressBits(familyOf(prefix)) - prefixBits(prefix))
}
