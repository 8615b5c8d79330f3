import type { HostModel, Nic } from '../model/model.ts'
import type { HostFacts } from './facts.ts'

/**
 * Facts of a host as the inventory describes it, for showing its desired state without asking it: every bridge, port and declared
 * uplink is there. Numbers of ports are made up; they stand in no canonical text (invariant 4).
 */
export function assumedFacts(host: HostModel): HostFacts {
  const bridges = (datapath: 'ovs' | 'linux') => host.bridges.filter((bridge) => bridge.datapath === datapath)
  const portsOf = (datapath: 'ovs' | 'linux') =>
    bridges(datapath).flatMap(({ name, uplinks }) => [
      ...uplinks.map((port) => ({ port, bridge: name })),
      ...host.nics.filter((nic) => nic.bridge === name).map(portOf),
    ])
  return {
    sshSource: '',
    sshDestination: '',
    sshPort: 0,
    tools: new Set(),
    links: new Map(portsOf('linux').map(({ port, bridge }) => [port, { bridge }])),
    ovsPorts: new Map(
      portsOf('ovs').map(({ port, bridge }, index) => [port, { bridge, ofport: index + 1, type: 'system' }]),
    ),
    ovsBridges: new Map(
      bridges('ovs').map(({ name }) => [
        name,
        { failMode: 'secure', datapathType: 'system', controllers: 0 },
      ]),
    ),
    sysctls: new Map(),
  }
}

function portOf({ port, bridge }: Nic): { readonly port: string; readonly bridge: string } {
  return { port, bridge }
}
