import fc from 'fast-check'
import type { Frame, Tracking } from '../../../src/meaning/frame.ts'
import { type Netfilter, compileNetfilter } from '../../../src/meaning/netfilter/netfilter.ts'
import type { Simulation } from '../../../src/meaning/simulation.ts'
import { ruleset4, ruleset6 } from './random-rules.ts'
import { trackingOfStranger } from './shots.ts'
import { type Port, type Wire, macs, own } from './wire.ts'

/** What the simulator said of a packet, what the kernel did, and the way there. */
interface Disagreement {
  readonly said: string
  readonly passed: boolean
  readonly frame: string
  readonly hops: readonly string[]
}

/** How often what was said, over all comparisons: a test that never sees a drop proves nothing. */
export type Tally = Map<string, number>

/** `count` values, always the same for a seed. */
export function sample<T>(arbitrary: fc.Arbitrary<T>, seed: number, count: number): readonly T[] {
  return fc.sample(arbitrary, { seed, numRuns: count })
}

/** Where simulator and kernel differ on frames from `from`, for each port that may get them. An unknown verdict is a difference. */
export function disagreements(
  wire: Wire,
  frames: readonly Frame[],
  options: {
    readonly from?: Port
    readonly trackingOf?: (frame: Frame) => Tracking
    readonly tally?: Tally
    /** Reasons for which the simulator need not know. Default: none. */
    readonly mayDoubt?: RegExp
  } = {},
): readonly Disagreement[] {
  const { from = 'tapa', trackingOf = trackingOfStranger } = options
  const netfilter = compileNetfilter(wire.capture(), assumptions)
  const arrived = wire.exchange(frames.map((frame, index) => ({ from, frame, serial: index + 1 })))
  return frames.flatMap((frame, index) =>
    receivers(frame, from).flatMap((outPort) => {
      const question = { inPort: from, outPort, bridge: 'vmbr0', frame, tracking: trackingOf(frame) }
      const passed = arrived[index]?.includes(outPort) ?? false
      const found = compare(netfilter.simulateForward(question), { passed, frame, tally: options.tally })
      return found.filter(({ said }) => !said.startsWith('unknown') || options.mayDoubt?.test(said) !== true)
    }),
  )
}

/** The same for frames to the hypervisor. */
export async function inputDisagreements(
  wire: Wire,
  frames: readonly Frame[],
  tally?: Tally,
): Promise<readonly Disagreement[]> {
  const netfilter = compileNetfilter(wire.capture(), assumptions)
  const arrived = await wire.toHost(
    frames.map((frame, index) => ({ from: 'tapa', frame, serial: index + 1 })),
  )
  return frames.flatMap((frame, index) => {
    const question = { inInterface: 'vmbr0', inPort: 'tapa', frame, tracking: trackingOfStranger(frame) }
    return compare(netfilter.simulateInput(question), { passed: arrived[index] ?? false, frame, tally })
  })
}

/** The same for what the hypervisor sends to the station behind `tapb`. */
export async function outputDisagreements(
  wire: Wire,
  frames: readonly Frame[],
  tally?: Tally,
): Promise<readonly Disagreement[]> {
  const netfilter: Netfilter = compileNetfilter(wire.capture(), assumptions)
  const arrived = await wire.fromHost(frames.map((frame, index) => ({ frame, serial: index + 1 })))
  return frames.flatMap((frame, index) => {
    const question = { outInterface: 'vmbr0', outPort: 'tapb', frame, tracking: trackingOfStranger(frame) }
    return compare(netfilter.simulateOutput(question), { passed: arrived[index] ?? false, frame, tally })
  })
}

const assumptions = { ownAddresses: [`${own.v4}/24`, `${own.v6}/64`] }

function receivers(frame: Frame, from: Port): readonly Port[] {
  const isGroup = Number.parseInt(frame.destinationMac.slice(0, 2), 16) % 2 === 1
  const all = (Object.keys(macs) as Port[]).filter((port) => port !== from)
  return isGroup ? all : all.filter((port) => macs[port] === frame.destinationMac)
}

function compare(
  { ends, hops }: Simulation,
  {
    passed,
    frame,
    tally,
  }: { readonly passed: boolean; readonly frame: Frame; readonly tally: Tally | undefined },
): readonly Disagreement[] {
  const [end] = ends
  const kind = end?.kind ?? 'no end'
  tally?.set(kind, (tally.get(kind) ?? 0) + 1)
  if (kind !== 'unknown' && ends.length === 1 && passed === (kind === 'accept')) return []
  const said = end?.kind === 'unknown' ? `unknown: ${end.why}: ${end.by.line}` : kind
  return [
    { said, passed, frame: JSON.stringify(frame), hops: hops.map(({ where, line }) => `${where}: ${line}`) },
  ]
}

/** Texts for the tools; what is absent is emptied. */
export interface Rules {
  readonly v4?: string
  readonly v6?: string
  readonly nft?: string
}

/** Puts rules in the place of all that were there. */
export function load(wire: Wire, rules: Rules): void {
  wire.host.namespace.must(['nft', 'flush', 'ruleset'])
  for (const [tool, text] of [
    ['iptables', rules.v4],
    ['ip6tables', rules.v6],
  ] as const) {
    wire.host.must([`${tool}-restore`], empty)
    if (text !== undefined) wire.host.must([`${tool}-restore`], text)
  }
  if (rules.nft !== undefined) loadNft(wire, rules.nft)
}

/** nft refuses what can never match (`icmp type … arp operation …`), by line: those are left out. */
function loadNft(wire: Wire, text: string): void {
  let lines = text.split('\n')
  for (let attempt = 0; attempt < 20; attempt++) {
    const { code, stderr } = wire.host.namespace.run(['nft', '-f', '-'], lines.join('\n'))
    if (code === 0) return
    const refused = new Set([...stderr.matchAll(/^\/dev\/stdin:(\d+):/gm)].map((match) => Number(match[1])))
    lines = lines.map((line, index) => (refused.has(index + 1) && !/[{}]$/.test(line) ? '' : line))
    if (attempt === 19) throw new Error(stderr)
  }
}

const empty = ['raw', 'mangle', 'filter'].map((table) => `*${table}\n:OUTPUT ACCEPT\nCOMMIT\n`).join('')

/** Random rules of both families, the same for a seed. */
export function randomRules(
  seed: number,
  options: { readonly hook: string; readonly hasState: boolean },
): Rules {
  return { v4: sample(ruleset4(options), seed, 1)[0] ?? '', v6: sample(ruleset6(options), seed, 1)[0] ?? '' }
}

/** A source port of its own for each: the kernel must not take one packet for a later one of another's connection. */
export function withOwnPorts(frames: readonly Frame[]): readonly Frame[] {
  return frames.flatMap((frame, index) => {
    if (frame.payload.kind !== 'ip') return [frame]
    const { ip } = frame.payload
    if (ip.ports === undefined && ip.protocol !== 1 && ip.protocol !== 58) return []
    const ports = ip.ports === undefined ? {} : { ports: { ...ip.ports, source: 20_000 + index } }
    return [{ ...frame, payload: { kind: 'ip' as const, ip: { ...ip, ...ports } } }]
  })
}
