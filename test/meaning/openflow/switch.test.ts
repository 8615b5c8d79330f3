import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CompiledBridge, type Entry, compileBridge } from '../../../src/meaning/openflow/simulate.ts'
import { frameHex } from './frame-bytes.ts'
import { ctNext, dumps, entryPorts, frames, ports, trackings } from './random-flows.ts'
import { type RealSwitch, startRealSwitch } from './real-switch.ts'
import { departuresOfEnds, departuresOfTrace } from './traced.ts'

let real: RealSwitch
beforeAll(() => {
  real = startRealSwitch(ports)
})
afterAll(() => real.stop())

const entries: fc.Arbitrary<Entry> = fc.record({
  port: fc.constantFrom(...entryPorts),
  frame: frames,
  tracking: trackings,
})

/** What became of the comparisons of a test. */
const tally = { same: 0, large: 0, unknown: 0, departed: 0 }

async function compare(compiled: CompiledBridge, entry: Entry): Promise<void> {
  const simulation = compiled.run(entry)
  // A trace of what branches at every step is larger than the switch's memory.
  if (simulation.hops.length > 500) {
    tally.large++
    return
  }
  const why = simulation.ends.find((end) => end.kind === 'unknown')
  if (why !== undefined) {
    tally.unknown++
    reasons.set(why.why.slice(0, 40), (reasons.get(why.why.slice(0, 40)) ?? 0) + 1)
    return
  }
  const number = entry.port === 'LOCAL' ? 'LOCAL' : `${ports.findIndex((port) => port === entry.port) + 1}`
  const states = entry.tracking === 'untracked' ? [] : Array<string>(12).fill(ctNext[entry.tracking])
  const trace = await real.appctl(
    'ofproto/trace',
    '--names',
    ...states.flatMap((state) => ['--ct-next', state]),
    'br0',
    `in_port=${number}`,
    frameHex(entry.frame),
  )
  const departures = departuresOfTrace(trace)
  tally.same++
  if (departures.length > 0) tally.departed++
  expect(
    departuresOfEnds(simulation),
    `${JSON.stringify(entry)}\n${trace.slice(0, 4000)}\n${JSON.stringify(simulation.hops.slice(0, 12))}`,
  ).toEqual(departures)
}
const reasons = new Map<string, number>()

describe('random flows', () => {
  test('do to random frames what a real switch does', async () => {
    await fc.assert(
      fc.asyncProperty(dumps, fc.array(entries, { minLength: 40, maxLength: 40 }), async (flows, list) => {
        real.setFlows(flows)
        const compiled = compileBridge(real.capture(), 'br0')
        expect(compiled.notUnderstood).toEqual([])
        for (const entry of list) await compare(compiled, entry)
      }),
      { numRuns: Number(process.env['RUNS'] ?? 40), endOnFailure: true },
    )
    console.log(tally, reasons)
  }, 600_000)
})
