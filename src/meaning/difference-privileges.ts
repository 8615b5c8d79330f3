import type { HostModel, Nic } from '../model/model.ts'
import { volumeOf } from './space-addresses.ts'

/** Something that a NIC or host may do, or that may be done to it, beside what rules say. */
export interface Privilege {
  /** Completes "may …"; equal texts mean the same. */
  readonly text: string
  /** For ranking only, on the scale of addresses × ports. */
  readonly openness: number
  /** Worth saying of a newcomer: more than its own addresses in its own network. */
  readonly isNotable: boolean
}

const allPorts = 65_536
const allAddresses = 2 ** 33

/** What a NIC may claim to be, serve and join. */
export function nicPrivileges(nic: Nic): readonly Privilege[] {
  const own = new Set<string>(nic.addresses)
  const sources = nic.antispoof
    ? nic.sources.map(({ mac, prefix }) => {
        const isOwn = mac === nic.mac && own.has(prefix.slice(0, prefix.indexOf('/')))
        const isLinkLocal = prefix.startsWith('fe80:') && prefix.endsWith('/128')
        return {
          text: `use the source ${prefix} with MAC ${mac}`,
          openness: volumeOf([prefix]),
          isNotable: !isOwn && !isLinkLocal,
        }
      })
    : [{ text: 'use any source (anti-spoofing is off)', openness: allAddresses * allPorts, isNotable: true }]
  const { vlan, name } = nic.network
  return [
    ...sources,
    {
      text: `send and receive in network ${name}${vlan === undefined ? ', untagged' : `, VLAN ${vlan}`}`,
      openness: 1,
      isNotable: false,
    },
    ...(nic.dhcpServer ? [{ text: 'answer DHCP', openness: allPorts, isNotable: true }] : []),
    ...(nic.routerAdvertisements
      ? [{ text: 'send router advertisements', openness: allPorts, isNotable: true }]
      : []),
  ]
}

/** What passes at a hypervisor's bridges beside its guests. */
export function hostPrivileges(host: HostModel): readonly Privilege[] {
  return host.bridges
    .filter((bridge) => bridge.unmanaged === 'leave')
    .map(({ name }) => ({
      text: `pass frames of ports on ${name} that no inventory NIC names`,
      openness: allPorts,
      isNotable: false,
    }))
}
