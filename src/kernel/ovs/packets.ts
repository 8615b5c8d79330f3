import type { Mac } from '../../net/mac.ts'
import type { PortMask } from '../../net/port.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { Match } from './match.ts'

/** ICMPv6 types: RFC 2710 and 3810 (multicast listeners), 4861 (routers and neighbours). */
export const icmp6Types = {
  listenerQuery: 130,
  listenerReports: [131, 132, 143],
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
  redirect: 137,
} as const

/** The IPv4 address of a host that has none yet. */
export const unspecified4 = '0.0.0.0/32' as Prefix
/** The IPv6 address of a host that has none yet. */
export const unspecified6 = '::/128' as Prefix
/** IPv6 addresses that never leave their link: RFC 4291, 2.5.6. */
export const linkLocalPrefix = 'fe80::/10' as Prefix
/** What `nd_sll` and `nd_tll` are when the packet has no such option; see ovs-fields(7). */
export const noOption = '00:00:00:00:00:00' as Mac

/** From a DHCP client: RFC 2131, 4.1. */
export const dhcpRequest: Match = { protocol: 'udp', tp_src: exactly(68), tp_dst: exactly(67) }
/** From a DHCP server. */
export const dhcpReply: Match = { protocol: 'udp', tp_src: exactly(67), tp_dst: exactly(68) }
/** From a DHCPv6 client: RFC 8415, 7.2. */
export const dhcp6Request: Match = { protocol: 'udp6', tp_src: exactly(546), tp_dst: exactly(547) }
/** From a DHCPv6 server. */
export const dhcp6Reply: Match = { protocol: 'udp6', tp_src: exactly(547), tp_dst: exactly(546) }

/** ICMPv6 of a type. */
export function icmp6(type: number): Match {
  return { protocol: 'icmp6', icmp_type: type }
}

/** Neighbour discovery that no router forwarded: RFC 4861, 7.1. Without code 0 there are no target and options to match. */
export function neighbour(type: number): Match {
  return { ...icmp6(type), icmp_code: 0, nw_ttl: 255 }
}

function exactly(port: number): PortMask {
  return { value: port, mask: 0xffff }
}
