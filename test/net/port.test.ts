import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type PortRange, formatPorts, mergePorts, parsePorts, portMasks } from '../../src/net/port.ts'

test.each([
  ['443', { first: 443, last: 443 }],
  ['9000-9010', { first: 9000, last: 9010 }],
  ['0', { first: 0, last: 0 }],
  ['0-65535', { first: 0, last: 65535 }],
  ['65536', undefined],
  ['1-65536', undefined],
  ['10-9', undefined],
  ['080', undefined],
  ['-1', undefined],
  ['1-', undefined],
  ['1-2-3', undefined],
  ['1:2', undefined],
  ['1 - 2', undefined],
  ['443\n', undefined],
  ['', undefined],
])('%j is read as %o', (text, range) => {
  expect(parsePorts(text)).toEqual(range)
})

test('what is formatted reads the same', () => {
  fc.assert(
    fc.property(range(65_535), (one) => {
      expect(parsePorts(formatPorts(one))).toEqual(one)
    }),
  )
})

test('merged ports are the same ports, ascending, and never touch', () => {
  fc.assert(
    fc.property(fc.array(range(60), { maxLength: 8 }), (ranges) => {
      const merged = mergePorts(ranges)
      expect(portsOf(merged)).toEqual([...new Set(portsOf(ranges))].sort((a, b) => a - b))
      for (const [index, one] of merged.slice(1).entries())
        expect(one.first).toBeGreaterThan((merged[index]?.last ?? 0) + 1)
    }),
  )
})

test('masks match exactly the ports of a range', () => {
  fc.assert(
    fc.property(range(65_535), (one) => {
      const matched = portMasks(one).flatMap(({ value, mask }) => {
        expect(value & mask).toBe(value)
        const size = 65_536 - mask
        return Array.from({ length: size }, (_, index) => value + index)
      })
      expect(matched).toEqual(portsOf([one]))
    }),
    { numRuns: 60 },
  )
})

test('masks are as few as can be', () => {
  // A range of 2ⁿ ports that starts at a multiple of 2ⁿ needs one; the worst range of 16 bits needs 30.
  expect(portMasks({ first: 0, last: 65_535 })).toEqual([{ value: 0, mask: 0 }])
  expect(portMasks({ first: 32_768, last: 65_535 })).toEqual([{ value: 32_768, mask: 0x8000 }])
  expect(portMasks({ first: 80, last: 80 })).toEqual([{ value: 80, mask: 0xffff }])
  expect(portMasks({ first: 1, last: 65_534 })).toHaveLength(30)
  expect(portMasks({ first: 9000, last: 9010 })).toEqual([
    { value: 9000, mask: 0xfff8 },
    { value: 9008, mask: 0xfffe },
    { value: 9010, mask: 0xffff },
  ])
})

test('masks are as few as can be for every range of eight bits, by counting', () => {
  // Fewest aligned blocks by dynamic programming, apart from the greedy walk under test.
  for (let last = 0; last < 256; last += 5) {
    const fewest: number[] = Array(last + 2).fill(0)
    for (let first = last; first >= 0; first--) {
      const options = [1, 2, 4, 8, 16, 32, 64, 128, 256].filter(
        (size) => first % size === 0 && first + size - 1 <= last,
      )
      fewest[first] = 1 + Math.min(...options.map((size) => fewest[first + size] ?? 0))
      expect(portMasks({ first, last })).toHaveLength(fewest[first] ?? 0)
    }
  }
})

function range(highest: number): fc.Arbitrary<PortRange> {
  return fc
    .tuple(fc.nat(highest), fc.nat(highest))
    .map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }))
}

function portsOf(ranges: readonly PortRange[]): number[] {
  return ranges.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index),
  )
}
