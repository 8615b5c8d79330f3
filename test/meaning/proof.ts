import { captureOf } from '../../src/capture.ts'
import { compile, hasErrors } from '../../src/compile.ts'
import { assumedFacts } from '../../src/kernel/assumed-facts.ts'
import { type Place, type SimulatedHost, simulatePath } from '../../src/meaning/path.ts'
import type { Tracking } from '../../src/meaning/frame.ts'
import { compileNetfilter } from '../../src/meaning/netfilter/netfilter.ts'
import { compileBridge } from '../../src/meaning/openflow/simulate.ts'
import type { Packet } from '../../src/meaning/packet.ts'
import { judge } from '../../src/meaning/policy.ts'
import type { HostModel, Model, Rule } from '../../src/model/model.ts'
import { type Address, familyOf } from '../../src/net/address.ts'
import { representatives } from '../../src/net/boundary.ts'
import type { Prefix } from '../../src/net/prefix.ts'
import type { HostState } from '../../src/kernel/backend.ts'
import { desiredState } from '../../src/reconcile.ts'
import { proofInventory } from './random-policy.ts'

/** What comparing one policy with the states rendered from it has shown. */
export interface Proof {
  readonly verdicts: number
  /** Verdicts that policy and state do not share, in words; at most 3. */
  readonly wrong: readonly string[]
}

/** Changes a rendered state before it is compared: a planted fault. */
export type Sabotage = (state: HostState) => HostState

export interface ProofOptions {
  /** Changes each host's state first. */
  readonly sabotage?: Sabotage
  /** At most about so many verdicts, evenly spread. Absent: every class of packets. */
  readonly limit?: number
}

/**
 * Compares the policy's verdict with that of the states that the kinds render from it, for a packet of every class that the
 * policy's constants tell apart, from and to every guest, from outside, to outside and to the hypervisors.
 */
export function prove(policyFile: string, { sabotage = (state) => state, limit }: ProofOptions = {}): Proof {
  const { model, problems } = compile(
    new Map([
      ['inventory/hosts.yaml', proofInventory],
      ['policies/random.yaml', policyFile],
    ]),
  )
  if (hasErrors(problems)) throw new Error(`the generated policy is wrong: ${problems[0]?.message}`)
  const questions = [
    ...questionsOf(
      waysOf(
        model.hosts.map((host) => simulated(host, sabotage)),
        model,
      ),
      model,
    ),
  ]
  const stride = limit === undefined ? 1 : Math.max(1, Math.ceil(questions.length / limit))
  const wrong: string[] = []
  let verdicts = 0
  // A prime number of steps apart, so that no way, port or state is always skipped.
  for (let index = 0; index < questions.length; index += stride === 1 ? 1 : nextPrime(stride)) {
    const question = questions[index]
    if (question === undefined) continue
    verdicts++
    const difference = differenceIn(model, question)
    if (difference !== undefined && wrong.length < 3) wrong.push(difference)
  }
  return { verdicts, wrong }
}

interface Question {
  readonly way: Way
  readonly packet: Packet
  readonly tracking: Tracking
  readonly want: 'allow' | 'deny'
}

function* questionsOf(ways: readonly Way[], model: Model): Generator<Question> {
  for (const way of ways)
    for (const packet of packetsOf(way, model))
      for (const tracking of trackings) {
        const want = expected(model, packet, tracking, way)
        if (want !== undefined) yield { way, packet, tracking, want }
      }
}

function differenceIn(model: Model, { way, packet, tracking, want }: Question): string | undefined {
  const { verdict, deciding, why } = simulatePath(way.from, way.to, packet, tracking)
  const isSame = want === 'allow' ? verdict === 'accept' : verdict === 'drop' || verdict === 'reject'
  if (isSame) return undefined
  const state = `state ${verdict} ${why ?? ''} by ${deciding?.where} ${deciding?.line}`
  return `${model.hosts.length} hosts: ${way.name} ${tracking} ${JSON.stringify(packet)}: policy ${want}, ${state}`
}

function nextPrime(from: number): number {
  const isPrime = (number: number) => {
    for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false
    return number > 1
  }
  return isPrime(from) ? from : nextPrime(from + 1)
}

const trackings: readonly Tracking[] = ['new', 'request', 'reply', 'related', 'invalid']

function simulated(model: HostModel, sabotage: Sabotage): SimulatedHost {
  const facts = assumedFacts(model)
  const capture = captureOf(sabotage(desiredState(model, facts)), facts)
  const ovs = model.bridges.filter((bridge) => bridge.datapath === 'ovs')
  return {
    model,
    bridges: new Map(ovs.map((bridge) => [bridge.name, compileBridge(capture, bridge.name)])),
    netfilter: compileNetfilter(capture),
    uplinkOf: new Map(model.bridges.map((bridge) => [bridge.name, bridge.uplinks[0] ?? ''])),
  }
}

/** A pair of ends, with the addresses that packets between them may have. */
interface Way {
  readonly name: string
  readonly from: Place
  readonly to: Place
  readonly sources: readonly Address[]
  readonly destinations: readonly Address[]
}

function waysOf(hosts: readonly SimulatedHost[], model: Model): readonly Way[] {
  const nics = hosts.flatMap((host) => host.model.nics.map((nic) => ({ kind: 'nic' as const, host, nic })))
  const outside = outsideAddresses(model)
  const pairs = nics.flatMap((from) =>
    nics
      .filter((to) => to !== from)
      .map((to) => ({
        name: `${from.nic.guest} → ${to.nic.guest}`,
        from,
        to,
        sources: from.nic.addresses,
        destinations: to.nic.addresses,
      })),
  )
  const edges = nics.flatMap((at) => [
    {
      name: `outside → ${at.nic.guest}`,
      from: { kind: 'outside' as const },
      to: at,
      sources: outside,
      destinations: at.nic.addresses,
    },
    {
      name: `${at.nic.guest} → outside`,
      from: at,
      to: { kind: 'outside' as const },
      sources: at.nic.addresses,
      destinations: outside,
    },
  ])
  const own = hosts.map((host) => ({
    name: `outside → ${host.model.name}`,
    from: { kind: 'outside' as const },
    to: { kind: 'hypervisor' as const, host, link: 'mgmt0' },
    sources: outside,
    destinations: [host.model.connection.host as Address],
  }))
  return [...pairs, ...edges, ...own]
}

/** One address of every class, without those of guests and hypervisors, which are asked for themselves. */
function outsideAddresses(model: Model): readonly Address[] {
  const lists = model.hosts.flatMap((host) => [
    ...host.management,
    ...host.lists.flatMap((list) => list.prefixes),
  ])
  const taken = new Set<string>(
    model.hosts.flatMap((host) => [host.connection.host ?? '', ...host.nics.flatMap((nic) => nic.addresses)]),
  )
  return (['0.0.0.0/0', '::/0'] as Prefix[])
    .flatMap((family) => representatives(family, lists))
    .filter((address) => !taken.has(address) && !isOdd(address))
}

/** Addresses that no packet on a wire has as its source: a bridge or a switch may drop them before any rule. */
function isOdd(address: Address): boolean {
  return /^(0\.|127\.|2(2[4-9]|[3-5]\d)\.)|^::1?$|^(ff|fe8)/.test(address)
}

function* packetsOf(way: Way, model: Model): Generator<Packet> {
  const shapes = shapesOf(model)
  for (const source of way.sources)
    for (const destination of way.destinations)
      if (familyOf(source) === familyOf(destination))
        for (const shape of shapes) if (fits(shape, familyOf(source))) yield { source, destination, ...shape }
}

type Shape = Omit<Packet, 'source' | 'destination'>

function fits({ protocol }: Shape, family: 4 | 6): boolean {
  return protocol === 1 ? family === 4 : protocol === 58 ? family === 6 : true
}

const shapesByModel = new WeakMap<Model, readonly Shape[]>()

/** Every protocol that is named, with every port at and beside an end of a range, every ICMP type and one beside. */
function shapesOf(model: Model): readonly Shape[] {
  const known = shapesByModel.get(model)
  if (known !== undefined) return known
  const rules = model.hosts.flatMap((host) =>
    [host.own.inbound, host.own.outbound, ...host.nics.flatMap((nic) => [nic.inbound, nic.outbound])].flatMap(
      (ruleset) => ruleset.rules,
    ),
  )
  const shapes: Shape[] = [{ protocol: 47 }, { protocol: 50 }, { protocol: 253 }]
  for (const [name, protocol] of [
    ['tcp', 6],
    ['udp', 17],
    ['sctp', 132],
  ] as const)
    for (const destinationPort of portsOf(rules, name))
      shapes.push({ protocol, destinationPort, sourcePort: 40_000 })
  for (const protocol of [1, 58])
    for (const icmpType of protocol === 1 ? [0, 3, 5, 8] : [1, 2, 127, 128, 129])
      shapes.push({ protocol, icmpType, icmpCode: 0 })
  shapesByModel.set(model, shapes)
  return shapes
}

function portsOf(rules: readonly Rule[], protocol: 'tcp' | 'udp' | 'sctp'): readonly number[] {
  const ends = rules.flatMap((rule) =>
    rule.services.flatMap((service) =>
      service.protocol === protocol
        ? service.ports.flatMap(({ first, last }) => [first - 1, first, last, last + 1])
        : [],
    ),
  )
  // The ports of DHCP have rules of their own.
  const isOrdinary = (port: number) => port > 0 && port < 65536 && ![67, 68, 546, 547].includes(port)
  return [...new Set([...ends, 4444])].filter(isOrdinary)
}

/** Replies and related packets pass every filter; what fits no connection passes none. */
function expected(model: Model, packet: Packet, tracking: Tracking, way: Way): 'allow' | 'deny' | undefined {
  const { verdict, judgements } = judge(model, packet)
  const policy = verdict === 'allow' ? 'allow' : 'deny'
  const isFiltered = judgements.some((judgement) => judgement.by !== 'unfiltered')
  // The management floor stands before connection tracking is asked.
  const isFloor = judgements.some((judgement) => judgement.by === 'management')
  switch (tracking) {
    case 'new':
    case 'request':
      return policy
    case 'reply':
    case 'related':
      return 'allow'
    case 'invalid':
      return isFiltered && !isFloor && way.to.kind !== 'hypervisor' ? 'deny' : undefined
    case 'related-reply':
    case 'untracked':
      return undefined
  }
}
