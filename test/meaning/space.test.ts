import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addressClasses,
  everyone,
  holds,
  prefixesOfClasses,
  spansOf,
} from '../../src/meaning/space-addresses.ts'
import {
  type Services,
  intersection,
  opennessOf,
  servicesOf,
  union,
  without,
} from '../../src/meaning/space-services.ts'
import { type Address, addressValue, familyOf, parseAddress } from '../../src/net/address.ts'
import { representatives } from '../../src/net/boundary.ts'
import { type Prefix, aggregate, contains } from '../../src/net/prefix.ts'
import { formatServices } from '../../src/meaning/service-names.ts'
import { parseService } from '../../src/repo/service.ts'
import { ruleset } from './models.ts'

const services = (...texts: readonly string[]): Services =>
  servicesOf(
    texts.map((text) => {
      const reading = parseService(text)
      if (reading.kind !== 'match') throw new Error(text)
      return reading.match
    }),
    4,
  )

test.each<[readonly string[], string]>([
  [['any'], 'any'],
  [['tcp/443', 'tcp/80'], 'tcp/80,443'],
  [['tcp/80', 'tcp/81-90', 'udp'], 'tcp/80-90, udp'],
  [['tcp/1-65535', 'tcp/0'], 'tcp'],
  [['udp/67@68', 'udp/67@70'], 'udp/67@68,70'],
  [['tcp/80@1000', 'tcp/80'], 'tcp/80'],
  [['icmp/8', 'icmp/3/4'], 'icmp/3/4, icmp/8'],
  [['icmp', 'icmp/8'], 'icmp'],
  [['gre', 'proto/50'], 'proto/47, proto/50'],
])('%j is written %s', (texts, expected) => {
  expect(formatServices(services(...texts))).toBe(expected)
})

test('sets of services obey the laws of sets, and equal sets have equal keys', () => {
  const some = ruleset.map(({ rules }) =>
    servicesOf(
      rules.flatMap((rule) => rule.services),
      4,
    ),
  )
  fc.assert(
    fc.property(some, some, some, (a, b, c) => {
      expect(union(a, b).key).toBe(union(b, a).key)
      expect(without(a, b).key).toBe(without(a, intersection(a, b)).key)
      expect(union(without(a, b), intersection(a, b)).key).toBe(a.key)
      expect(intersection(a, union(b, c)).key).toBe(union(intersection(a, b), intersection(a, c)).key)
      expect(without(without(a, b), a).key).toBe(services().key)
      expect(opennessOf(union(a, b))).toBeCloseTo(opennessOf(a) + opennessOf(without(b, a)), 3)
    }),
    { numRuns: 300 },
  )
})

const lists = fc.array(
  ruleset.map(({ rules }) => aggregate(rules.flatMap(({ peer }) => (peer === 'any' ? [] : peer.prefixes)))),
  { maxLength: 4 },
)

describe('addresses', () => {
  test('are in a list exactly when one of its prefixes contains them', () => {
    fc.assert(
      fc.property(lists, (some) => {
        for (const list of some)
          for (const address of everyone.flatMap((all) => representatives(all, some.flat())))
            expect(holds(spansOf(list)[familyOf(address)], addressValue(address))).toBe(
              list.some((prefix) => contains(prefix, address)),
            )
      }),
      { numRuns: 200 },
    )
  })

  test('are each in exactly one class, and a class is in a list whole or not at all', () => {
    fc.assert(
      fc.property(lists, (some) => {
        const classes = addressClasses(some.map(spansOf), spansOf(everyone))
        expect(prefixesOfClasses(classes)).toEqual(everyone)
        const prefixes = classes.map((one) => prefixesOfClasses([one]))
        for (const address of everyone.flatMap((all) => representatives(all, some.flat()))) {
          const holding = classes.filter((_, index) =>
            prefixes[index]?.some((prefix) => contains(prefix, address)),
          )
          expect(holding).toHaveLength(1)
          const expected = some.flatMap((list, index) =>
            list.some((prefix) => contains(prefix, address)) ? [index] : [],
          )
          expect(holding[0]?.lists).toEqual(expected)
        }
      }),
      { numRuns: 200 },
    )
  })

  test('are counted as one class where the lists do not tell them apart, wherever they are', () => {
    const list = ['10.0.0.0/8', '192.168.0.0/16'] as unknown as readonly Prefix[]
    const classes = addressClasses([spansOf(list)], spansOf([everyone[0] as Prefix]))
    expect(classes).toHaveLength(2)
    expect(holds(classes[0]?.spans ?? [], addressValue(parseAddress('0.0.0.0') as Address))).toBe(true)
  })
})
