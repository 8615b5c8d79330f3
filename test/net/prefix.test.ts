import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Address,
  addressBits,
  addressValue,
  familyOf,
  formatAddress,
  parseAddress,
} from '../../src/net/address.ts'
import {
  type Prefix,
  aggregate,
  contains,
  hostPrefix,
  intersect,
  maskHostBits,
  ofFamily,
  parsePrefix,
  prefixAddress,
  prefixBits,
  rangePrefixes,
  subtract,
} from '../../src/net/prefix.ts'
import { oracle } from './oracle.ts'

describe('a prefix', () => {
  test.each(oracle.masked)('%s without host bits is what Python says', (text, masked) => {
    expect(maskHostBits(text)).toBe(masked ?? undefined)
  })

  test.each(oracle.strict)('%s is read as Python reads it', (text, canonical) => {
    expect(parsePrefix(text)).toBe(canonical ?? undefined)
  })

  test.each([
    ['192.0.2.1', '192.0.2.1/32'],
    ['2001:DB8::1', '2001:db8::1/128'],
    ['2001:DB8:0::/64', '2001:db8::/64'],
    ['192.0.2.0/255.255.255.0', undefined],
    ['192.0.2.0/24 ', undefined],
    ['10.0.0.0/08', undefined],
    ['::1/0128', undefined],
    ['192.0.2.0/24\n', undefined],
    ['::ffff:192.0.2.0/120', undefined],
  ])('%j is read as %s', (text, prefix) => {
    expect(parsePrefix(text)).toBe(prefix)
  })

  test('comes apart into address and bits', () => {
    const prefix = parsePrefix('2001:db8::/33') as Prefix
    expect([prefixAddress(prefix), prefixBits(prefix), familyOf(prefix)]).toEqual(['2001:db8::', 33, 6])
    expect(hostPrefix(parseAddress('192.0.2.1') as Address)).toBe('192.0.2.1/32')
  })

  test('holds what Python says it holds', () => {
    for (const { left, right, contains: expected } of oracle.algebra)
      expect(left.map((outer) => right.map((inner) => contains(outer as Prefix, inner as Prefix)))).toEqual(
        expected,
      )
  })

  test('holds nothing of the other family', () => {
    expect(contains('0.0.0.0/0' as Prefix, '::/128' as Prefix)).toBe(false)
    expect(contains('::/0' as Prefix, '10.0.0.1' as Address)).toBe(false)
    expect(contains('::/0' as Prefix, '2001:db8::1' as Address)).toBe(true)
  })
})

describe('lists of prefixes', () => {
  test.each(oracle.algebra.map((example, index) => ({ index, ...example })))(
    '$index: are merged and cut as by Python',
    (example) => {
      const [left, right] = [example.left as readonly Prefix[], example.right as readonly Prefix[]]
      expect(aggregate(left)).toEqual(example.aggregate)
      expect(subtract(left, right)).toEqual(example.subtract)
    },
  )

  test.each(oracle.spans)('$first-$last is split as by Python', ({ first, last, prefixes }) => {
    expect(rangePrefixes(first as Address, last as Address)).toEqual(prefixes)
  })

  test('the whole of a family is one prefix', () => {
    expect(rangePrefixes('0.0.0.0' as Address, '255.255.255.255' as Address)).toEqual(['0.0.0.0/0'])
    expect(aggregate(['::/1', '8000::/1', '128.0.0.0/1', '0.0.0.0/1'] as Prefix[])).toEqual([
      '0.0.0.0/0',
      '::/0',
    ])
    expect(subtract(['0.0.0.0/0', '::/0'] as Prefix[], ['0.0.0.0/0'] as Prefix[])).toEqual(['::/0'])
  })

  test('a range that is reversed or of two families is empty', () => {
    expect(rangePrefixes('10.0.0.2' as Address, '10.0.0.1' as Address)).toEqual([])
    expect(rangePrefixes('10.0.0.2' as Address, '::1' as Address)).toEqual([])
  })

  test('mean sets: an address is in a result exactly when set algebra says so', () => {
    fc.assert(
      fc.property(prefixes(), prefixes(), address(), (left, right, one) => {
        const isIn = (list: readonly Prefix[]): boolean => list.some((prefix) => contains(prefix, one))
        expect(isIn(aggregate(left))).toBe(isIn(left))
        expect(isIn(subtract(left, right))).toBe(isIn(left) && !isIn(right))
        expect(isIn(intersect(left, right))).toBe(isIn(left) && isIn(right))
      }),
      { numRuns: 1000 },
    )
  })

  test('a result has one form: order and repetition do not matter, and it is a fixed point', () => {
    fc.assert(
      fc.property(prefixes(), prefixes(), (left, right) => {
        const once = aggregate(left)
        expect(aggregate([...left].reverse().concat(left))).toEqual(once)
        expect(aggregate(once)).toEqual(once)
        expect(aggregate(intersect(left, right))).toEqual(intersect(right, left))
        expect(aggregate([...subtract(left, right), ...intersect(left, right)])).toEqual(once)
        expect([...ofFamily(once, 4), ...ofFamily(once, 6)]).toEqual(once)
      }),
      { numRuns: 300 },
    )
  })
})

/** Of a small neighbourhood in both families, so that they meet. */
function address(): fc.Arbitrary<Address> {
  const bases = [addressValue('10.0.0.0' as Address), addressValue('2001:db8::' as Address)] as const
  return fc
    .tuple(fc.boolean(), fc.nat(255))
    .map(([v4, low]) => formatAddress(bases[v4 ? 0 : 1] + BigInt(low), v4 ? 4 : 6))
}

function prefixes(): fc.Arbitrary<Prefix[]> {
  const prefix = fc.tuple(address(), fc.nat(8)).map(([one, hostBits]) => {
    const bits = addressBits(familyOf(one)) - hostBits
    return maskHostBits(`${one}/${bits}`) as Prefix
  })
  return fc.array(
    fc.oneof({ weight: 30, arbitrary: prefix }, fc.constantFrom('0.0.0.0/0' as Prefix, '::/0' as Prefix)),
    { maxLength: 10 },
  )
}
