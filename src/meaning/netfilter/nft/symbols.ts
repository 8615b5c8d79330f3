import { flagType, numberType } from './value.ts'

// Names as `nft describe` of 1.0.6 lists them, and those of newer versions.

export const etherTypes = numberType('ether_type', 16, {
  ip: 0x0800,
  arp: 0x0806,
  ip6: 0x86dd,
  '8021q': 0x8100,
  '8021ad': 0x88a8,
  vlan: 0x8100,
})

export const arpOperations = numberType('arp_op', 16, {
  request: 1,
  reply: 2,
  rrequest: 3,
  rreply: 4,
  inrequest: 8,
  inreply: 9,
  nak: 10,
})

export const icmpTypes = numberType('icmp_type', 8, {
  'echo-reply': 0,
  'destination-unreachable': 3,
  'source-quench': 4,
  redirect: 5,
  'echo-request': 8,
  'router-advertisement': 9,
  'router-solicitation': 10,
  'time-exceeded': 11,
  'parameter-problem': 12,
  'timestamp-request': 13,
  'timestamp-reply': 14,
  'info-request': 15,
  'info-reply': 16,
  'address-mask-request': 17,
  'address-mask-reply': 18,
})

export const icmpCodes = numberType('icmp_code', 8, {
  'net-unreachable': 0,
  'host-unreachable': 1,
  'prot-unreachable': 2,
  'port-unreachable': 3,
  'frag-needed': 4,
  'net-prohibited': 9,
  'host-prohibited': 10,
  'admin-prohibited': 13,
})

export const icmp6Types = numberType('icmpv6_type', 8, {
  'destination-unreachable': 1,
  'packet-too-big': 2,
  'time-exceeded': 3,
  'parameter-problem': 4,
  'echo-request': 128,
  'echo-reply': 129,
  'mld-listener-query': 130,
  'mld-listener-report': 131,
  'mld-listener-done': 132,
  'mld-listener-reduction': 132,
  'nd-router-solicit': 133,
  'nd-router-advert': 134,
  'nd-neighbor-solicit': 135,
  'nd-neighbor-advert': 136,
  'nd-redirect': 137,
  'router-renumbering': 138,
  'ind-neighbor-solicit': 141,
  'ind-neighbor-advert': 142,
  'mld2-listener-report': 143,
})

export const icmp6Codes = numberType('icmpv6_code', 8, {
  'no-route': 0,
  'admin-prohibited': 1,
  'addr-unreachable': 3,
  'port-unreachable': 4,
  'policy-fail': 5,
  'reject-route': 6,
})

export const tcpFlags = flagType('tcp_flag', 8, {
  fin: 1,
  syn: 2,
  rst: 4,
  psh: 8,
  ack: 16,
  urg: 32,
  ecn: 64,
  cwr: 128,
})

/** `NF_CT_STATE_BIT` and its neighbours. */
export const stateBits = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 } as const

export const connectionStates = flagType('ct_state', 32, stateBits)

export const directions = numberType('ct_dir', 8, { original: 0, reply: 1 })

export const packetTypes = numberType('pkt_type', 8, {
  host: 0,
  unicast: 0,
  broadcast: 1,
  multicast: 2,
  other: 3,
})

export const protocolFamilies = numberType('nf_proto', 8, { ipv4: 2, ipv6: 10 })
