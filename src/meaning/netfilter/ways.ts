import type { Frame, Tracking } from '../frame.ts'
import type { Hop, Simulation } from '../simulation.ts'
import type { Outcome } from './chain.ts'
import { type BaseChain, type Hooks, preferred, runHooks } from './hooks.ts'
import { type Passage, type Place, enter } from './passage.ts'

/** A frame and what is known of it besides. */
export interface Arrival {
  readonly frame: Frame
  /** Of discovery messages the kernel keeps no track, whatever is said here. */
  readonly tracking: Tracking
}

/** From one port of a Linux bridge to another. */
export interface Forward extends Arrival {
  readonly inPort: string
  readonly outPort: string
  readonly bridge: string
}

/** To the hypervisor itself: by a device, and by a port if the device is a bridge. */
export interface Input extends Arrival {
  readonly inInterface: string
  readonly inPort?: string
}

/** From the hypervisor itself: by a device, and by a port if the device is a bridge and the rules of ports are asked for too. */
export interface Output extends Arrival {
  readonly outInterface: string
  readonly outPort?: string
}

/** What a host's rules are, and what its kernel does with fragments and bridged packets. */
export interface HostRules {
  readonly hooks: Hooks
  readonly reassembles: { readonly ip: boolean; readonly ip6: boolean }
  readonly calls: { readonly ip: boolean; readonly ip6: boolean }
}

/** A frame from port to port. */
export function forward(rules: HostRules, question: Forward): Simulation {
  return simulate(rules, question, (way) => forwardWay(way, question))
}

/** A frame to the hypervisor. */
export function input(rules: HostRules, question: Input): Simulation {
  return simulate(rules, question, (way) => inputWay(way, question))
}

/** A frame from the hypervisor. */
export function output(rules: HostRules, question: Output): Simulation {
  return simulate(rules, question, (way) => outputWay(way, question))
}

/** A packet's way: hook after hook, until one does not accept. */
interface Way {
  readonly rules: HostRules
  readonly passage: Passage
  readonly hops: Hop[]
}

/** Ended by this, or accepted so far by that (`undefined`: nothing hooks there). */
type Result = Outcome | undefined

function simulate(rules: HostRules, { frame, tracking }: Arrival, walk: (way: Way) => Result): Simulation {
  const way: Way = { rules, passage: enter(frame, tracking), hops: [] }
  const outcome = walk(way) ?? { kind: 'accept', by: nothing, isPolicy: true }
  const { by } = outcome
  switch (outcome.kind) {
    case 'accept':
    case 'translate':
      return { hops: way.hops, ends: [{ kind: 'accept', by }] }
    case 'drop':
      return { hops: way.hops, ends: [{ kind: 'drop', by }] }
    case 'reject':
      return { hops: way.hops, ends: [{ kind: 'reject', how: outcome.how, by }] }
    case 'unknown':
      return { hops: way.hops, ends: [{ kind: 'unknown', why: outcome.why, by }] }
  }
}

const nothing: Hop = { where: 'netfilter', line: 'no rule on the way' }

/** Stages in turn: the first that does not accept ends it. */
function inTurn(stages: readonly (() => Result)[]): Result {
  let accepted: Result
  for (const stage of stages) {
    const outcome = stage()
    if (outcome !== undefined && outcome.kind !== 'accept' && outcome.kind !== 'translate') return outcome
    accepted = preferred(accepted, outcome)
  }
  return accepted
}

/** Where br_netfilter stands among the bridge's hooks: after 0 at `prerouting`, before it at `forward`, last at `postrouting`. */
function forwardWay(way: Way, { inPort, outPort, bridge }: Forward): Result {
  const { hooks } = way.rules
  const [before, after] = halves(hooks('bridge', 'prerouting'), 0)
  const [early, late] = halves(hooks('bridge', 'forward'), -1)
  const entering = linkPlace('prerouting', { inPort, outPort: '', bridge })
  const passing = linkPlace('forward', { inPort, outPort, bridge })
  const leaving = linkPlace('postrouting', { inPort: '', outPort, bridge })
  const called = isCalled(way)
  const network = (hook: string, ports: { readonly in: string; readonly out: string }) => () =>
    called
      ? runNetwork(way, {
          hook,
          inInterface: bridge,
          outInterface: ports.out === '' ? '' : bridge,
          bridged: ports,
        })
      : undefined
  return inTurn([
    () => run(way, hooks('netdev', 'ingress', inPort), { ...entering, hook: 'ingress' }),
    () => run(way, before, entering),
    network('prerouting', { in: inPort, out: '' }),
    () => run(way, after, entering),
    () => run(way, early, passing),
    network('forward', { in: inPort, out: outPort }),
    () => run(way, late, passing),
    () => run(way, hooks('bridge', 'postrouting'), leaving),
    network('postrouting', { in: inPort, out: outPort }),
    () => run(way, hooks('netdev', 'egress', outPort), { ...leaving, hook: 'egress' }),
  ])
}

function inputWay(way: Way, { inPort, inInterface }: Input): Result {
  const { hooks } = way.rules
  const called = inPort !== undefined && isCalled(way)
  const bridged = called ? { bridged: { in: inPort, out: '' } } : {}
  const place = { inInterface, outInterface: '', ...bridged }
  if (inPort === undefined)
    return inTurn([
      () => run(way, hooks('netdev', 'ingress', inInterface), { ...place, hook: 'ingress', layer: 'link' }),
      () => runNetwork(way, { ...place, hook: 'prerouting' }),
      () => runArp(way, { ...place, hook: 'input' }),
      () => runNetwork(way, { ...place, hook: 'input' }),
    ])
  const [before, after] = halves(hooks('bridge', 'prerouting'), 0)
  const entering = linkPlace('prerouting', { inPort, outPort: '', bridge: inInterface })
  const prerouting = () => runNetwork(way, { ...place, hook: 'prerouting' })
  return inTurn([
    () => run(way, hooks('netdev', 'ingress', inPort), { ...entering, hook: 'ingress' }),
    () => run(way, before, entering),
    () => (called ? prerouting() : undefined),
    () => run(way, after, entering),
    () => run(way, hooks('bridge', 'input'), { ...entering, hook: 'input' }),
    () => (called ? undefined : prerouting()),
    () => runArp(way, { ...place, hook: 'input' }),
    () => runNetwork(way, { ...place, hook: 'input' }),
  ])
}

function outputWay(way: Way, { outInterface, outPort }: Output): Result {
  const { hooks } = way.rules
  const place = { inInterface: '', outInterface }
  const leaving = linkPlace('output', { inPort: '', outPort: outPort ?? outInterface, bridge: outInterface })
  const bridged =
    outPort === undefined
      ? []
      : [
          () => run(way, hooks('bridge', 'output'), leaving),
          () => run(way, hooks('bridge', 'postrouting'), { ...leaving, hook: 'postrouting' }),
        ]
  return inTurn([
    () => runArp(way, { ...place, hook: 'output' }),
    () => runNetwork(way, { ...place, hook: 'output' }),
    () => runNetwork(way, { ...place, hook: 'postrouting' }),
    ...bridged,
    () => run(way, hooks('netdev', 'egress', outPort ?? outInterface), { ...leaving, hook: 'egress' }),
  ])
}

function linkPlace(
  hook: string,
  { inPort, outPort, bridge }: { readonly inPort: string; readonly outPort: string; readonly bridge: string },
): Place {
  const bridges = { in: inPort === '' ? '' : bridge, out: outPort === '' ? '' : bridge }
  return { hook, layer: 'link', inInterface: inPort, outInterface: outPort, bridges }
}

/** Those up to `priority`, and those after. */
function halves(
  chains: readonly BaseChain[],
  priority: number,
): readonly [readonly BaseChain[], readonly BaseChain[]] {
  return [
    chains.filter((chain) => chain.priority <= priority),
    chains.filter((chain) => chain.priority > priority),
  ]
}

/** Does br_netfilter show the frame to iptables? Not behind a tag, as long as `bridge-nf-filter-vlan-tagged` is off. */
function isCalled({ passage: { ip, frame }, rules: { calls } }: Way): boolean {
  return ip !== undefined && frame.vlan === undefined && (ip.family === 4 ? calls.ip : calls.ip6)
}

function run(way: Way, chains: readonly BaseChain[], place: Place): Result {
  if (chains.length === 0) return undefined
  way.passage.place = place
  return runHooks(chains, way.passage, way.hops)
}

function runArp(way: Way, place: Omit<Place, 'layer'>): Result {
  if (way.passage.frame.payload.kind !== 'arp') return undefined
  return run(way, way.rules.hooks('arp', place.hook), { ...place, layer: 'link' })
}

function runNetwork(way: Way, place: Omit<Place, 'layer'>): Result {
  const { passage, rules } = way
  const { ip } = passage
  if (ip === undefined) return undefined
  const family = ip.family === 4 ? 'ip' : 'ip6'
  if (ip.fragment !== 'no' && rules.reassembles[family]) {
    if (ip.fragment === 'later')
      return {
        kind: 'unknown',
        why: 'conntrack puts fragments together: the packet as a whole is judged',
        by: { where: `${family} ${place.hook}`, line: 'a fragment without a transport header' },
      }
    passage.ip = { ...ip, fragment: 'no' }
  }
  return run(way, rules.hooks(family, place.hook), { ...place, layer: 'network' })
}
