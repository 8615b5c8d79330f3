import type { HostModel, Nic, Ruleset } from '../model/model.ts'

/** The NICs behind Linux bridges, by port ascending. Those behind Open vSwitch never pass the host's netfilter. */
export function linuxNics(host: HostModel): readonly Nic[] {
  const bridges = new Set(host.bridges.filter(({ datapath }) => datapath === 'linux').map(({ name }) => name))
  return host.nics
    .filter(({ bridge }) => bridges.has(bridge))
    .sort((a, b) => (a.port < b.port ? -1 : a.port > b.port ? 1 : 0))
}

/** Every ruleset that the host's own netfilter judges: its own two, and those of `linuxNics`. */
export function linuxRulesets(host: HostModel): readonly Ruleset[] {
  return [host.own.inbound, host.own.outbound, ...linuxNics(host).flatMap((nic) => [nic.inbound, nic.outbound])]
}
