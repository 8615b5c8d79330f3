import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Tally, disagreements, load, sample, withOwnPorts } from './compare.ts'
import { nftTable } from './random-nft.ts'
import { arpFrame, discoveryFrame, ipFrame, otherFrame } from './shots.ts'
import { type Wire, createWire } from './wire.ts'

const tally: Tally = new Map()

/** What a frame or a capture cannot tell: headers that only `@th` looks at, what nft does with tags, a port's own MAC. */
const mayDoubt =
  /says nothing of that header|behind a VLAN tag|bridge port itself|hypervisor makes|later fragment|mark was set by what/

describe('the simulator says what the kernel does with nft', () => {
  let wire: Wire
  beforeAll(() => {
    wire = createWire('nft')
  })
  afterAll(() => wire.delete())

  test.each([1, 2, 3, 4, 5])('in the bridge family, by random rules (%i)', (seed) => {
    load(wire, { nft: sample(nftTable('bridge'), seed, 1)[0] ?? '' })
    const frames = fc.oneof(
      ipFrame({ hasFragments: true, hasFlags: true }),
      arpFrame,
      discoveryFrame,
      otherFrame,
    )
    expect(disagreements(wire, sample(frames, seed, 150), { tally, mayDoubt })).toEqual([])
  })

  test.each([11, 12, 13])('in the inet family, by random rules (%i)', (seed) => {
    load(wire, { nft: sample(nftTable('inet'), seed, 1)[0] ?? '' })
    expect(disagreements(wire, withOwnPorts(sample(ipFrame(), seed, 120)), { tally, mayDoubt })).toEqual([])
  })

  test('and says yes and no often enough', () => {
    for (const kind of ['accept', 'drop']) expect(tally.get(kind) ?? 0).toBeGreaterThan(200)
    expect(tally.get('unknown') ?? 0).toBeLessThan(200)
  })
})
