import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressBits, addressValue, familyOf, formatAddress, parseAddress } from '../../src/net/address.ts'
import { type Mac, isGroupMac, linkLocal, parseMac } from '../../src/net/mac.ts'
import { oracle } from './oracle.ts'

describe('an address', () => {
  test.each(oracle.addresses)('%s is read as Python reads it', (text, canonical) => {
    expect(parseAddress(text)).toBe(canonical ?? undefined)
  })

  test.each([
    ['::ffff:192.0.2.1', 'it is an IPv4 address in disguise'],
    ['::ffff:c000:201', 'it is an IPv4 address in disguise'],
    ['fe80::1%eth0', 'a zone means something on one host only'],
    [' 192.0.2.1', 'of the space'],
    ['192.0.2.1\n', 'of the line feed'],
    ['', 'it is empty'],
  ])('%j is refused, although others read it: %s', (text) => {
    expect(parseAddress(text)).toBeUndefined()
  })

  test('has one spelling, and keeps its value', () => {
    const value = (bits: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n })
    const any = fc.oneof(
      value(32).map((number) => formatAddress(number, 4)),
      value(128)
        .filter((number) => number >> 32n !== 0xffffn)
        .map((number) => formatAddress(number, 6)),
      // Runs of zeros are where spellings differ.
      fc
        .array(fc.constantFrom(0n, 0n, 1n, 0xabcn), { minLength: 8, maxLength: 8 })
        .map((groups) => groups.reduce<bigint>((sum, group) => (sum << 16n) | group, 0n))
        .filter((number) => number >> 32n !== 0xffffn)
        .map((number) => formatAddress(number, 6)),
    )
    fc.assert(
      fc.property(any, (address) => {
        expect(parseAddress(address)).toBe(address)
        expect(formatAddress(addressValue(address), familyOf(address))).toBe(address)
        expect(addressValue(address) >> BigInt(addressBits(familyOf(address)))).toBe(0n)
      }),
      { numRuns: 500 },
    )
  })
})

describe('a MAC', () => {
  test.each([
    ['52:54:00:00:01:0A', '52:54:00:00:01:0a'],
    ['52-54-00-AB-CD-EF', '52:54:00:ab:cd:ef'],
    ['52:54:00:00:01', undefined],
    ['52:54:00:00:01:0a:0b', undefined],
    ['5254.0000.010a', undefined],
    ['52:54:00:00:01:0g', undefined],
    ['52:54:00:00:01:0a\n', undefined],
    ['', undefined],
  ])('%j is read as %s', (text, mac) => {
    expect(parseMac(text)).toBe(mac)
  })

  test.each([
    ['ff:ff:ff:ff:ff:ff', true],
    ['01:00:5e:00:00:01', true],
    ['33:33:00:00:00:01', true],
    ['52:54:00:00:00:01', false],
    ['fe:ff:ff:ff:ff:ff', false],
  ])('%s is of a group: %s', (text, group) => {
    expect(isGroupMac(parseMac(text) as Mac)).toBe(group)
  })

  // RFC 4291, appendix A: 34-56-78-9A-BC-DE becomes 36-56-78-FF-FE-9A-BC-DE.
  test.each([
    ['34:56:78:9a:bc:de', 'fe80::3656:78ff:fe9a:bcde'],
    ['52:54:00:00:01:01', 'fe80::5054:ff:fe00:101'],
    ['02:00:00:00:00:01', 'fe80::ff:fe00:1'],
    ['00:00:5e:00:01:01', 'fe80::200:5eff:fe00:101'],
    ['ff:ff:ff:ff:ff:ff', 'fe80::fdff:ffff:feff:ffff'],
  ])('%s makes the link-local address %s', (text, address) => {
    expect(linkLocal(parseMac(text) as Mac)).toBe(address)
  })
})
