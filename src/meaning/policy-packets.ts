import { type Address, familyOf } from '../net/address.ts'
import type { ServiceMatch } from '../repo/repo.ts'
import type { Packet } from './packet.ts'

/** The packets of a service between every two addresses of one family; of a port range its ends. */
export function packetsOf(
  service: ServiceMatch,
  sources: readonly Address[],
  destinations: readonly Address[],
): readonly Packet[] {
  return sources.flatMap((source) =>
    destinations
      .filter((destination) => familyOf(source) === familyOf(destination) && source !== destination)
      .flatMap((destination) => packetOf(service, source, destination)),
  )
}

const numbers = { tcp: 6, udp: 17, sctp: 132 } as const

/** A test's service names one protocol; ports without a number stand for a port that no rule names. */
function packetOf(service: ServiceMatch, source: Address, destination: Address): readonly Packet[] {
  const family = familyOf(source)
  switch (service.protocol) {
    case 'any':
      return [{ source, destination, protocol: 253 }]
    case 'number':
      return [{ source, destination, protocol: service.number }]
    case 'icmp':
    case 'icmp6': {
      if (family !== (service.protocol === 'icmp' ? 4 : 6)) return []
      return [
        {
          source,
          destination,
          protocol: family === 4 ? 1 : 58,
          ...(service.type === undefined ? {} : { icmpType: service.type }),
          ...(service.code === undefined ? {} : { icmpCode: service.code }),
        },
      ]
    }
    default: {
      const protocol = numbers[service.protocol]
      const ports = service.ports.flatMap(({ first, last }) => (first === last ? [first] : [first, last]))
      if (ports.length === 0) return [{ source, destination, protocol }]
      return ports.map((destinationPort) => ({ source, destination, protocol, destinationPort }))
    }
  }
}
