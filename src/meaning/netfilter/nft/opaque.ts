/** Fields that are no more than names to us: rules over them are read to their end, and doubted. See nft(8), payload and meta expressions. */
export const opaqueNames: readonly string[] = [
  ...under(
    'meta',
    'length priority skuid skgid iifgroup oifgroup iiftype oiftype cpu cgroup time day hour random rtclassid iifkind oifkind',
  ),
  ...under('meta', 'nftrace secmark sdif sdifname'),
  ...'skuid skgid iifgroup oifgroup iiftype oiftype cgroup rtclassid'.split(' '),
  ...under('ip', 'dscp ecn length id frag-off hdrlength checksum'),
  ...under('ip6', 'dscp ecn flowlabel'),
  ...under('tcp', 'sequence ackseq doff reserved window checksum urgptr'),
  ...under('udp', 'length checksum'),
  ...under('udplite', 'checksum'),
  ...under('sctp', 'vtag checksum'),
  ...under('dccp', 'type'),
  ...under('icmp', 'checksum id sequence mtu gateway'),
  ...under('icmpv6', 'checksum id sequence mtu max-delay parameter-problem'),
  ...under('vlan', 'pcp dei cfi'),
  ...under('ah', 'spi nexthdr'),
  ...under('esp', 'spi sequence'),
  ...under('comp', 'nexthdr cpi'),
  ...under('ct', 'status expiration helper label bytes packets avgpkt zone event id l3proto protocol'),
]

function under(header: string, names: string): readonly string[] {
  return names.split(' ').map((name) => `${header} ${name}`)
}
