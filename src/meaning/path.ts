import type { HostModel, Nic } from '../model/model.ts'
import { familyOf } from '../net/address.ts'
import { type Mac, parseMac } from '../net/mac.ts'
import type { Frame, IpPacket, Tracking } from './frame.ts'
import type { Netfilter } from './netfilter/netfilter.ts'
import type { CompiledBridge } from './openflow/simulate.ts'
import type { Packet } from './packet.ts'
import type { End, Hop, Simulation } from './simulation.ts'

/** A host whose state, desired or live, is ready to be asked. */
export interface SimulatedHost {
  readonly model: HostModel
  /** Its Open vSwitch bridges by name. */
  readonly bridges: ReadonlyMap<string, CompiledBridge>
  readonly netfilter: Netfilter
  /** A port of the bridge that leads out of the host. */
  readonly uplinkOf: ReadonlyMap<string, string>
}

/** Where a packet starts or ends. */
export type Place =
  | { readonly kind: 'nic'; readonly host: SimulatedHost; readonly nic: Nic }
  /** The hypervisor itself, by an interface that is no bridge. */
  | { readonly kind: 'hypervisor'; readonly host: SimulatedHost; readonly link: string }
  | { readonly kind: 'outside' }

/** One host's part of the way. */
export interface Leg {
  readonly host: string
  readonly simulation: Simulation
}

/** What happens to a packet on its whole way, and the line that decided. */
export interface PathVerdict {
  readonly verdict: 'accept' | 'drop' | 'reject' | 'unknown'
  readonly legs: readonly Leg[]
  readonly deciding: Hop | undefined
  /** What was not understood, for `unknown`. */
  readonly why?: string
}

/** Stands for whoever is not on the network itself: the router's MAC. */
const gatewayMac = parseMac('02:00:5e:10:00:01') as Mac

/**
 * The verdict of the hosts' states on a packet from one place to another: out of the sender's port, then into the receiver's, on
 * one host or two. Between two networks, and from outside, a router that filters nothing is assumed.
 */
export function simulatePath(from: Place, to: Place, packet: Packet, tracking: Tracking): PathVerdict {
  const legs: Leg[] = []
  const run = (
    host: SimulatedHost,
    simulation: Simulation,
    wanted: string | undefined,
  ): PathVerdict | undefined => {
    legs.push({ host: host.model.name, simulation })
    return judgeLeg(simulation, wanted, legs)
  }
  const direct = from.kind === 'nic' && to.kind === 'nic' && from.nic.network.name === to.nic.network.name
  const sourceMac = from.kind === 'nic' ? from.nic.mac : gatewayMac
  const destinationMac = to.kind === 'nic' ? to.nic.mac : gatewayMac
  const passed = (): PathVerdict => ({ verdict: 'accept', legs, deciding: arrivalOf(legs) })

  if (direct && from.kind === 'nic' && to.kind === 'nic' && isOneBridge(from, to)) {
    const frame = frameOf(packet, sourceMac, destinationMac)
    return (
      run(
        from.host,
        cross(from.host, from.nic.bridge, [from.nic.port, to.nic.port], frame, tracking),
        to.nic.port,
      ) ?? passed()
    )
  }
  if (from.kind === 'nic') {
    const uplink = from.host.uplinkOf.get(from.nic.bridge) ?? ''
    const frame = frameOf(packet, sourceMac, direct ? destinationMac : gatewayMac)
    const ended = run(
      from.host,
      cross(from.host, from.nic.bridge, [from.nic.port, uplink], frame, tracking),
      uplink,
    )
    if (ended !== undefined) return ended
  }
  if (to.kind === 'nic') {
    const uplink = to.host.uplinkOf.get(to.nic.bridge) ?? ''
    const frame = frameOf(packet, direct ? sourceMac : gatewayMac, destinationMac)
    const ended = run(
      to.host,
      cross(to.host, to.nic.bridge, [uplink, to.nic.port], frame, tracking),
      to.nic.port,
    )
    if (ended !== undefined) return ended
  }
  if (to.kind === 'hypervisor') {
    const frame = frameOf(packet, gatewayMac, gatewayMac)
    const ended = run(
      to.host,
      to.host.netfilter.simulateInput({ inInterface: to.link, frame, tracking }),
      undefined,
    )
    if (ended !== undefined) return ended
  }
  return passed()
}

function isOneBridge(from: Place & { kind: 'nic' }, to: Place & { kind: 'nic' }): boolean {
  return from.host === to.host && from.nic.bridge === to.nic.bridge
}

/** Through one bridge of a host, from a port to a port. */
function cross(
  host: SimulatedHost,
  bridge: string,
  [inPort, outPort]: readonly [string, string],
  frame: Frame,
  tracking: Tracking,
): Simulation {
  const flows = host.bridges.get(bridge)
  return flows === undefined
    ? host.netfilter.simulateForward({ inPort, outPort, bridge, frame, tracking })
    : flows.run({ port: inPort, frame, tracking })
}

/** `undefined` when the packet goes on. `wanted`: the port that it must leave by, where the leg has several. */
function judgeLeg(
  simulation: Simulation,
  wanted: string | undefined,
  legs: readonly Leg[],
): PathVerdict | undefined {
  const unknown = simulation.ends.find((end) => end.kind === 'unknown')
  if (unknown?.kind === 'unknown') return { verdict: 'unknown', legs, deciding: unknown.by, why: unknown.why }
  if (simulation.ends.some((end) => isArrival(end, wanted))) return undefined
  const reject = simulation.ends.find((end) => end.kind === 'reject')
  if (reject !== undefined) return { verdict: 'reject', legs, deciding: reject.by }
  return {
    verdict: 'drop',
    legs,
    deciding: simulation.ends.find((end) => end.kind === 'drop')?.by ?? lastHop(legs),
  }
}

function isArrival(end: End, wanted: string | undefined): boolean {
  return end.kind === 'accept' || (end.kind === 'output' && end.port === wanted)
}

/** What let the packet out of the last host: the deciding rule, not a policy that it met after that. */
function arrivalOf(legs: readonly Leg[]): Hop | undefined {
  const ends = legs.at(-1)?.simulation.ends ?? []
  return ends.find(({ kind }) => kind === 'accept' || kind === 'output')?.by ?? lastHop(legs)
}

function lastHop(legs: readonly Leg[]): Hop | undefined {
  return legs.at(-1)?.simulation.hops.at(-1)
}

/** A frame that carries the packet. A port that the packet leaves open is 1: callers who care say one. */
export function frameOf(packet: Packet, sourceMac: Mac, destinationMac: Mac): Frame {
  const { source, destination, protocol } = packet
  const hasPorts = protocol === 6 || protocol === 17 || protocol === 132
  const ip: IpPacket = {
    source,
    destination,
    protocol,
    hopLimit: 64,
    fragment: 'no',
    ...(hasPorts
      ? {
          ports: {
            source: packet.sourcePort ?? 1,
            destination: packet.destinationPort ?? 1,
            ...(protocol === 6 ? { tcpFlags: 2 } : {}),
          },
        }
      : {}),
    ...(protocol === 1 || protocol === 58
      ? { icmp: { type: packet.icmpType ?? 0, code: packet.icmpCode ?? 0 } }
      : {}),
  }
  return {
    sourceMac,
    destinationMac,
    etherType: familyOf(source) === 4 ? 0x0800 : 0x86dd,
    payload: { kind: 'ip', ip },
  }
}
