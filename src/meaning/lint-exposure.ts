import { mergePorts } from '../net/port.ts'
import type { AddressClass } from './space-addresses.ts'
import { type Services, intersection, isNothing, servicesOf } from './space-services.ts'

/** Ports by which machines are run rather than used, on tcp: nobody means to offer them to the world. */
const managementPorts: Readonly<Record<string, readonly [number, number]>> = {
  ssh: [22, 22],
  telnet: [23, 23],
  smb: [445, 445],
  mssql: [1433, 1433],
  docker: [2375, 2376],
  etcd: [2379, 2380],
  mysql: [3306, 3306],
  rdp: [3389, 3389],
  postgresql: [5432, 5432],
  vnc: [5900, 5999],
  winrm: [5985, 5986],
  redis: [6379, 6379],
  kubernetes: [6443, 6443],
  proxmox: [8006, 8006],
  elasticsearch: [9200, 9200],
  kubelet: [10_250, 10_250],
  memcached: [11_211, 11_211],
  libvirt: [16_509, 16_514],
  mongodb: [27_017, 27_017],
}

const ports = Object.entries(managementPorts).map(([name, [first, last]]) => ({
  text: `${name} (tcp/${first === last ? first : `${first}-${last}`})`,
  services: ofTcp([{ first, last }]),
}))
const anyOfThem = ofTcp(mergePorts(Object.values(managementPorts).map(([first, last]) => ({ first, last }))))

function ofTcp(ranges: readonly { readonly first: number; readonly last: number }[]): Services {
  return servicesOf([{ protocol: 'tcp', ports: ranges, sourcePorts: [] }], 4)
}

/** Addresses by management port and IP version. */
export type WorldPorts = ReadonlyMap<string, { readonly 4: bigint; readonly 6: bigint }>

export const noPorts: WorldPorts = new Map()

/** Half of IPv4, and half of what IPv6 has given out (2000::/3): "all but a few" is the world, too. */
const world = { 4: 1n << 31n, 6: 1n << 124n }

/** Counts the addresses of a class for each management port that `opened` holds. */
export function exposedPorts(before: WorldPorts, opened: Services, addresses: AddressClass): WorldPorts {
  if (isNothing(intersection(opened, anyOfThem))) return before
  const size = addresses.spans.reduce((sum, { first, last }) => sum + last - first + 1n, 0n)
  const after = new Map(before)
  for (const { text, services } of ports) {
    if (isNothing(intersection(opened, services))) continue
    const counts = after.get(text) ?? { 4: 0n, 6: 0n }
    after.set(text, { ...counts, [addresses.family]: counts[addresses.family] + size })
  }
  return after
}

/** The management ports that are open to the world. */
export function worldWide(exposed: WorldPorts): readonly string[] {
  return [...exposed]
    .filter(([, counts]) => counts[4] >= world[4] || counts[6] >= world[6])
    .map(([text]) => text)
}
