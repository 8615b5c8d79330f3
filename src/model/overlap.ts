import type { Family } from '../net/address.ts'
import { type PortRange, formatPorts } from '../net/port.ts'
import { type Prefix, intersect, prefixAddress } from '../net/prefix.ts'
import type { ServiceMatch } from '../repo/repo.ts'
import type { Rule } from './model.ts'

/** A packet that two rules both match, in words: `10.0.0.7, tcp/443`. `undefined` when there is none. */
export function overlap(left: Rule, right: Rule): string | undefined {
  const peers = commonPeers(left, right)
  for (const a of left.services) {
    for (const b of right.services) {
      const service = commonService(a, b)
      const family = familyOfService(a) ?? familyOfService(b)
      const prefix = peers.find((peer) => family === undefined || (peer.includes(':') ? 6 : 4) === family)
      if (service !== undefined && prefix !== undefined) return `${prefixAddress(prefix)}, ${service}`
    }
  }
  return undefined
}

const everyone = ['0.0.0.0/0', '::/0'] as Prefix[]

function commonPeers(left: Rule, right: Rule): readonly Prefix[] {
  const [a, b] = [left.peer, right.peer].map((peer) => (peer === 'any' ? everyone : peer.prefixes))
  return intersect(a ?? [], b ?? [])
}

function familyOfService(service: ServiceMatch): Family | undefined {
  return service.protocol === 'icmp' ? 4 : service.protocol === 'icmp6' ? 6 : undefined
}

const protocolNumbers = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmp6: 58 } as const

function commonService(a: ServiceMatch, b: ServiceMatch): string | undefined {
  if (a.protocol === 'any') return describe(b)
  if (b.protocol === 'any') return describe(a)
  if (numberOf(a) !== numberOf(b)) return undefined
  if (a.protocol === 'number') return describe(b)
  if (b.protocol === 'number') return describe(a)
  if ('ports' in a && 'ports' in b) {
    const port = firstCommonPort(a.ports, b.ports)
    return port === undefined || firstCommonPort(a.sourcePorts, b.sourcePorts) === undefined
      ? undefined
      : `${a.protocol}/${port}`
  }
  if ('ports' in a || 'ports' in b) return undefined
  if (a.type !== undefined && b.type !== undefined && a.type !== b.type) return undefined
  if (a.code !== undefined && b.code !== undefined && a.code !== b.code) return undefined
  return describe(a.type === undefined ? b : a)
}

function numberOf(service: Exclude<ServiceMatch, { protocol: 'any' }>): number {
  return service.protocol === 'number' ? service.number : protocolNumbers[service.protocol]
}

function describe(service: ServiceMatch): string {
  switch (service.protocol) {
    case 'any':
      return 'any protocol'
    case 'number':
      return `protocol ${service.number}`
    case 'icmp':
    case 'icmp6':
      return service.type === undefined ? service.protocol : `${service.protocol}/${service.type}`
    default:
      return service.ports[0] === undefined
        ? service.protocol
        : `${service.protocol}/${formatPorts(service.ports[0]).split('-')[0]}`
  }
}

const allPorts: readonly PortRange[] = [{ first: 0, last: 65535 }]

function firstCommonPort(a: readonly PortRange[], b: readonly PortRange[]): number | undefined {
  const left = a.length === 0 ? allPorts : a
  const right = b.length === 0 ? allPorts : b
  for (const x of left)
    for (const y of right)
      if (Math.max(x.first, y.first) <= Math.min(x.last, y.last)) return Math.max(x.first, y.first)
  return undefined
}
