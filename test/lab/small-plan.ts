import type { LabGuestPlan, LabHostPlan, LabPlan } from '../../lab/plan.ts'

const gateways = ['10.0.0.1', '2001:db8:0:10::1']

/** One Open vSwitch host with guests `a` and `b`, one bridge host with guest `c`. */
export const smallPlan: LabPlan = {
  hosts: [
    host('hv-1', 11, 'ovs', 'br0'),
    { ...host('hv-2', 12, 'linux', 'vmbr0'), iptables: 'legacy', without: ['conntrack'] },
  ],
  guests: [guest('a', 11, 'hv-1', 'br0'), guest('b', 12, 'hv-1', 'br0'), guest('c', 13, 'hv-2', 'vmbr0')],
  gateways: ['10.0.0.1/24', '2001:db8:0:10::1/64'],
}

function host(name: string, number: number, datapath: 'ovs' | 'linux', bridge: string): LabHostPlan {
  const addresses = [`10.0.0.2${number}/24`, `2001:db8:0:10::2${number}/64`]
  return {
    name,
    address: `192.0.2.${number}`,
    bridges: [{ name: bridge, datapath, uplink: 'uplink0', addresses, gateways }],
  }
}

function guest(name: string, number: number, on: string, bridge: string): LabGuestPlan {
  const addresses = [`10.0.0.${number}/24`, `2001:db8:0:10::${number}/64`]
  const nic = { port: `tap1${number}i0`, bridge, mac: `52:54:00:00:01:${number}`, addresses, gateways }
  return { name, host: on, nics: [nic] }
}
