import type { Bridge, HostModel, Nic, Ruleset } from '../model/model.ts'
import type { HostFacts } from './facts.ts'

/** The NICs behind Linux bridges, by port ascending. Those behind Open vSwitch never pass the host's netfilter. */
export function linuxNics(host: HostModel): readonly Nic[] {
  const bridges = new Set(host.bridges.filter(({ datapath }) => datapath === 'linux').map(({ name }) => name))
  return host.nics
    .filter(({ bridge }) => bridges.has(bridge))
    .sort((a, b) => (a.port < b.port ? -1 : a.port > b.port ? 1 : 0))
}

/** Every ruleset that the host's own netfilter judges: its own two, and those of `linuxNics`. */
export function linuxRulesets(host: HostModel): readonly Ruleset[] {
  return [
    host.own.inbound,
    host.own.outbound,
    ...linuxNics(host).flatMap((nic) => [nic.inbound, nic.outbound]),
  ]
}

/** Names that hypervisors give to the host's end of a guest's interface; such a port is never taken for an uplink unasked. */
const guestPort = /^(tap|vnet|veth|fwln|fwpr|macvtap|lxc|vif)/
/** The host may say anything; a name that is none of these cannot stand in a rule. */
const plainName = /^[\w.-]{1,15}$/

/** The ports that lead out of the host: those declared, else every port of the bridge that is no guest's by inventory or name. */
export function uplinksOf(bridge: Bridge, host: HostModel, facts: HostFacts): readonly string[] {
  if (bridge.uplinks.length > 0) return bridge.uplinks
  const nics = new Set(host.nics.map(({ port }) => port))
  return [...facts.links]
    .filter(([name, link]) => link.bridge === bridge.name && !nics.has(name))
    .filter(([name]) => plainName.test(name) && !guestPort.test(name))
    .map(([name]) => name)
    .sort()
}
