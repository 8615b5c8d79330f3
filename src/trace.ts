import { captureOf } from './capture.ts'
import type { HostReader, ReadEffects } from './effects.ts'
import { assumedFacts } from './kernel/assumed-facts.ts'
import { factsProbe, parseFacts } from './kernel/facts-probe.ts'
import type { HostFacts } from './kernel/facts.ts'
import type { Capture } from './meaning/capture.ts'
import { captureFrom, captureProbes } from './meaning/capture-probe.ts'
import { compileNetfilter } from './meaning/netfilter/netfilter.ts'
import { compileBridge } from './meaning/openflow/simulate.ts'
import type { Packet } from './meaning/packet.ts'
import type { PacketText } from './meaning/packet-text.ts'
import { type PathVerdict, type Place, type SimulatedHost, frameOf, simulatePath } from './meaning/path.ts'
import type { Hop } from './meaning/simulation.ts'
import { packetsOf } from './meaning/policy-packets.ts'
import { type PolicyVerdict, hypervisorAt, judge, nicAt } from './meaning/policy.ts'
import type { HostModel, Model, Nic } from './model/model.ts'
import type { Address } from './net/address.ts'
import type { ServiceMatch } from './repo/repo.ts'
import { desiredState, outputOf } from './reconcile.ts'

/** One end of a trace: a guest, a hypervisor, or an address that may be one of theirs. */
export interface TraceEnd {
  readonly name: string
  readonly addresses: readonly Address[]
}

/** What the policy says of a packet, and what the hosts' states do with it. */
export interface Trace {
  readonly packet: Packet
  readonly policy: PolicyVerdict
  readonly state: PathVerdict
}

export interface TraceQuestion {
  readonly from: TraceEnd
  readonly to: TraceEnd
  readonly service: ServiceMatch
}

/** The first packet of a connection between every pair of addresses of one family, by the states that Git wants. */
export function traceDesired(model: Model, question: TraceQuestion): readonly Trace[] {
  const hosts = hostsOnTheWay(model, question).map((host) => {
    const facts = assumedFacts(host)
    return simulated(host, facts, captureOf(desiredState(host, facts), facts))
  })
  return traces(model, question, hosts)
}

/** The same by what the hosts hold now, foreign rules and flows included. Reads only; rejects when a host cannot be read. */
export async function traceLive(
  model: Model,
  question: TraceQuestion,
  effects: ReadEffects,
): Promise<readonly Trace[]> {
  const hosts = await effects.eachHost(hostsOnTheWay(model, question), async (host) => {
    const { facts, capture } = await readHost(host, effects)
    return simulated(host, facts, capture)
  })
  return traces(model, question, hosts)
}

/** A host's raw state, everything on it included. Reads only; rejects when it cannot be read. */
export async function captureHost(host: HostModel, effects: ReadEffects): Promise<Capture> {
  return (await readHost(host, effects)).capture
}

async function readHost(
  host: HostModel,
  effects: ReadEffects,
): Promise<{ readonly facts: HostFacts; readonly capture: Capture }> {
  let reader: HostReader | undefined
  try {
    reader = await effects.open(host)
    const reading = await reader.read([{ name: 'facts', script: factsProbe }, ...captureProbes])
    const facts = parseFacts(outputOf(host, reading, 'facts'))
    return { facts, capture: captureFrom((name) => outputOf(host, reading, name), facts) }
  } finally {
    reader?.close()
  }
}

/** What a captured state does with one packet. */
export interface StateTrace {
  readonly verdict: 'accept' | 'drop' | 'reject' | 'unknown'
  /** Every line it met, in order. */
  readonly way: readonly Hop[]
  readonly deciding: Hop | undefined
  /** What was not understood, for `unknown`. */
  readonly why?: string
}

/** One packet through one host's captured state: through its bridge, or to the hypervisor when no port is named to leave by. */
export function traceState(capture: Capture, text: PacketText): StateTrace {
  const frame = frameOf(text.packet, text.sourceMac, text.destinationMac)
  const { bridge, inPort, outPort, tracking } = text
  const { hops, ends } = capture.flows.has(bridge)
    ? compileBridge(capture, bridge).run({ port: inPort, frame, tracking })
    : outPort === undefined
      ? compileNetfilter(capture).simulateInput({ inInterface: bridge, inPort, frame, tracking })
      : compileNetfilter(capture).simulateForward({ bridge, inPort, outPort, frame, tracking })
  // One copy that is not understood, or that arrives, says more than all that are dropped.
  const end =
    ends.find(({ kind }) => kind === 'unknown') ??
    ends.find((one) => one.kind === 'output' && (outPort === undefined || one.port === outPort)) ??
    ends.find(({ kind }) => kind === 'accept' || kind === 'reject') ??
    ends.find(({ kind }) => kind === 'drop')
  const deciding = end?.by ?? hops.at(-1)
  switch (end?.kind) {
    case 'unknown':
      return { verdict: 'unknown', way: hops, deciding, why: end.why }
    case 'output':
    case 'accept':
      return { verdict: 'accept', way: hops, deciding }
    case 'reject':
      return { verdict: 'reject', way: hops, deciding }
    case 'drop':
    case undefined:
      return { verdict: 'drop', way: hops, deciding }
  }
}

function simulated(model: HostModel, facts: HostFacts, capture: Capture): SimulatedHost {
  const ovs = model.bridges.filter((bridge) => bridge.datapath === 'ovs')
  const off = (name: string) => facts.sysctls.get(name) === '0'
  return {
    model,
    bridges: new Map(ovs.map((bridge) => [bridge.name, compileBridge(capture, bridge.name)])),
    netfilter: compileNetfilter(capture, {
      callIptables: !off('net.bridge.bridge-nf-call-iptables'),
      callIp6tables: !off('net.bridge.bridge-nf-call-ip6tables'),
    }),
    uplinkOf: new Map(model.bridges.map((bridge) => [bridge.name, bridge.uplinks[0] ?? ''])),
  }
}

function hostsOnTheWay(model: Model, { from, to }: TraceQuestion): readonly HostModel[] {
  const addresses = [...from.addresses, ...to.addresses]
  return model.hosts.filter((host) =>
    addresses.some(
      (address) =>
        hypervisorAt(model, address) === host || host.nics.some((nic) => nic.addresses.includes(address)),
    ),
  )
}

function traces(
  model: Model,
  { from, to, service }: TraceQuestion,
  hosts: readonly SimulatedHost[],
): readonly Trace[] {
  const placeOf = (address: Address): Place => {
    const nic = nicAt(model, address)
    if (nic !== undefined) return nicPlace(nic, hosts)
    const own = hypervisorAt(model, address)
    const host = hosts.find((candidate) => candidate.model === own)
    return host === undefined ? { kind: 'outside' } : { kind: 'hypervisor', host, link: 'mgmt0' }
  }
  return packetsOf(service, from.addresses, to.addresses).map((packet) => ({
    packet,
    policy: judge(model, packet),
    state: simulatePath(placeOf(packet.source), placeOf(packet.destination), packet, 'new'),
  }))
}

function nicPlace(nic: Nic, hosts: readonly SimulatedHost[]): Place {
  const host = hosts.find((candidate) => candidate.model.nics.includes(nic))
  return host === undefined ? { kind: 'outside' } : { kind: 'nic', host, nic }
}
