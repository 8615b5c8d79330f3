import { type Compiled, compile } from '../src/compile.ts'
import type { HostModel, Nic } from '../src/model/model.ts'

/** A small fleet: one Open vSwitch host, one bridge host, three guests in two groups. */
export const smallInventory = `
all:
  children:
    hypervisors:
      hosts:
        hv-1:
          ansible_host: 192.0.2.11
          gitwall: { bridges: { br0: { datapath: ovs, uplinks: [uplink0] } } }
        hv-2:
          ansible_host: 192.0.2.21
          gitwall: { bridges: { vmbr0: { datapath: linux, uplinks: [uplink0] } } }
    web:
      hosts:
        web-1:
          gitwall:
            host: hv-1
            nics: [{ port: tap101i0, bridge: br0, network: shop, mac: "52:54:00:00:01:01", addresses: [10.0.0.11, "2001:db8:0:10::11"] }]
        web-2:
          gitwall:
            host: hv-2
            nics: [{ port: tap102i0, bridge: vmbr0, network: shop, mac: "52:54:00:00:01:02", addresses: [10.0.0.12, "2001:db8:0:10::12"] }]
    db:
      hosts:
        db-1:
          gitwall:
            host: hv-1
            nics: [{ port: tap201i0, bridge: br0, network: shop, mac: "52:54:00:00:02:01", addresses: [10.0.0.21, "2001:db8:0:10::21"] }]
  vars:
    gitwall_management: [192.0.2.0/24]
    gitwall_networks: { shop: { subnets: [10.0.0.0/24, "2001:db8:0:10::/64"], gateways: [10.0.0.1] } }
`

/** The small fleet under `policies`. */
export function compileSmall(policies: string, inventory = smallInventory): Compiled {
  return compile(
    new Map([
      ['inventory/hosts.yaml', inventory],
      ['policies/main.yaml', policies],
    ]),
  )
}

/** `file:line:column code`, for every problem. */
export function codesOf(compiled: Compiled): readonly string[] {
  return compiled.problems.map(({ at, code }) => `${at.file}:${at.line}:${at.column} ${code}`)
}

/** The NIC of a guest with one NIC. */
export function nicOf(compiled: Compiled, guest: string): Nic {
  const nic = compiled.model.hosts.flatMap((host) => host.nics).find((candidate) => candidate.guest === guest)
  if (nic === undefined) throw new Error(`no NIC of ${guest}`)
  return nic
}

/** A host of the model by name. */
export function hostOf(compiled: Compiled, name: string): HostModel {
  const host = compiled.model.hosts.find((candidate) => candidate.name === name)
  if (host === undefined) throw new Error(`no host ${name}`)
  return host
}
