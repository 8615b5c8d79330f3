import fc from 'fast-check'
import { foreignMac, ports, v4, v6 } from './shots.ts'
import { macs } from './wire.ts'

const port = fc.constantFrom(...ports)
const portRange = fc
  .tuple(port, port)
  .map(([a, b]) => (a === b ? `${a}` : `${Math.min(a, b)}-${Math.max(a, b)}`))
const not = fc.constantFrom('', '', '', '!= ')

function words(...parts: readonly (fc.Arbitrary<string | number> | string)[]): fc.Arbitrary<string> {
  return fc
    .tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part.map(String))))
    .map((texts) => texts.join(' ').replaceAll(/ +/g, ' '))
}

function setOf(values: readonly (string | number)[]): fc.Arbitrary<string> {
  return fc
    .uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 })
    .map((list) => `{ ${list.join(', ')} }`)
}

const both = fc.constantFrom('saddr', 'daddr')
const anyMac = fc.constantFrom(macs.tapa, macs.tapb, foreignMac)

/** Matches for the bridge's own chains and for those of IP alike. */
const common = fc.oneof(
  words('ip', both, not, fc.constantFrom(...v4, '10.0.0.0/24', '10.0.0.5-10.0.0.12', '@four')),
  words('ip', both, not, setOf([...v4, '10.2.0.0/16'])),
  words('ip6', both, not, fc.constantFrom(...v6, '2001:db8::/64', '@six')),
  words('ip', both, '& 255.0.255.0 ==', fc.constantFrom('10.0.0.0', '10.0.1.0')),
  words('ip ttl', not, fc.constantFrom(64, 255)),
  words('ip6 hoplimit', not, fc.constantFrom(64, 255)),
  words('ip protocol', not, fc.constantFrom('{ tcp, udp }', 'icmp', '47')),
  words('ip frag-off & 0x1fff', fc.constantFrom('!=', '=='), '0'),
  words('ip6 nexthdr', not, fc.constantFrom('udp', '44', 'ipv6-icmp')),
  words('meta l4proto', not, fc.constantFrom('{ tcp, udp }', 'icmp', 'ipv6-icmp', '{ 47, 112 }')),
  words(
    fc.constantFrom('tcp', 'udp', 'th'),
    fc.constantFrom('sport', 'dport'),
    not,
    fc.oneof(portRange, setOf(ports)),
  ).filter((text) => !text.startsWith('th')),
  words(fc.constantFrom('tcp dport', 'udp sport'), fc.constantFrom('<', '>=', '>'), port),
  words(
    'tcp flags',
    fc.constantFrom(
      'syn',
      '== syn',
      '! syn',
      '!= syn',
      '{ syn, ack }',
      '& (fin | syn | ack) == syn',
      'syn,rst',
    ),
  ),
  words('icmp type', not, setOf(['echo-request', 'destination-unreachable', 'time-exceeded'])),
  words('icmp code', not, fc.constantFrom('0', '3')),
  words(
    'icmpv6 type',
    not,
    setOf(['echo-request', 'nd-neighbor-solicit', 'nd-neighbor-advert', 'nd-redirect', 'packet-too-big']),
  ),
  words('@th,0,16', not, port),
  words(
    'ip saddr . tcp dport',
    fc.constantFrom('', '!= '),
    '{ 10.0.0.11 . 80, 10.0.0.0/24 . 22-53, 172.16.0.9 . 1024 }',
  ),
  words('ip saddr . ip daddr @both'),
  words('meta mark', not, fc.constantFrom('0', '1', '7')),
  words('meta mark & 0x3', fc.constantFrom('==', '!='), fc.constantFrom('1', '2')),
)

const bridgeOnly = fc.oneof(
  words('ether', both, not, anyMac),
  words('ether saddr', setOf([macs.tapa, foreignMac])),
  words('ether daddr & 01:00:00:00:00:00 ==', fc.constantFrom('01:00:00:00:00:00', '00:00:00:00:00:00')),
  words('ether type', not, fc.constantFrom('ip', 'arp', 'ip6', '0x8035', 'vlan', '{ ip, arp }')),
  words('meta protocol', not, fc.constantFrom('ip', 'arp', 'ip6')),
  words('vlan id', not, fc.constantFrom('5', '10')),
  words('arp operation', not, fc.constantFrom('request', 'reply')),
  words('arp', both, 'ip', not, fc.constantFrom(...v4.slice(0, 3))),
  words('arp saddr ether', not, anyMac),
  words('iifname', not, fc.constantFrom('"tapa"', '"tap*"', '{ "tapb", "tapc" }')),
  words('oifname', not, fc.constantFrom('"tapb"', '"tap*"')),
  words('@th,64,128', not, '0x20010db8000000000000000000000012'),
  words('@th,64,24 & 0xfffff0', fc.constantFrom('==', '!='), '0x2001d0'),
  words(
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 length',
    not,
    fc.constantFrom('24', '{ 24, 32 }'),
  ),
  words('icmpv6 type nd-neighbor-advert @th,192,64', not, `0x0201${macs.tapa.replaceAll(':', '')}`),
  words('ether saddr . ip saddr', `{ ${macs.tapa} . 10.0.0.11, ${foreignMac} . 10.0.0.12 }`),
  words('meta pkttype', fc.constantFrom('broadcast', 'multicast', '{ broadcast, multicast }')).map(
    // Whether a unicast frame is for the port itself is not in a capture: such rules say of group frames only.
    (text) => `ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 ${text}`,
  ),
)

const ipOnly = fc.oneof(
  words('iifname', not, fc.constantFrom('"vmbr0"', '"vm*"', '{ "eth0", "vmbr0" }')),
  words('meta nfproto', fc.constantFrom('ipv4', 'ipv6')),
  words(
    'ct state',
    fc.constantFrom('', '!= '),
    fc.constantFrom('new', 'established,related', 'invalid', '{ new, untracked }'),
  ),
  words('ct direction', fc.constantFrom('original', 'reply')),
)

function statement(layer: 'bridge' | 'inet', chains: readonly string[]): fc.Arbitrary<string> {
  const leads = chains.flatMap((name) => [`jump ${name}`, `goto ${name}`])
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom('accept', 'drop', 'counter drop', 'log prefix "drop" accept comment "drop"'),
    },
    { weight: 1, arbitrary: fc.constantFrom('return', 'continue', 'counter') },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        'meta mark set 1',
        'meta mark set 7',
        'counter meta mark set 2 ip saddr 10.0.0.12 accept',
      ),
    },
    // The bridge family of this kernel has no reject.
    {
      weight: layer === 'inet' ? 1 : 0,
      arbitrary: fc.constantFrom(
        'reject',
        'reject with tcp reset',
        'reject with icmp type host-prohibited',
        'reject with icmpv6 type admin-prohibited',
      ),
    },
    ...(leads.length === 0 ? [] : [{ weight: 4, arbitrary: fc.constantFrom(...leads) }]),
  )
}

const lookups = (chains: readonly string[]) =>
  fc.constantFrom(
    'ip saddr vmap { 10.0.0.11 : accept, 10.0.0.12 : drop, 192.168.0.0/16 : continue }',
    'meta l4proto vmap { tcp : return, icmp : drop }',
    `udp dport vmap { 53 : jump ${chains[0] ?? 'none'}, 80-81 : drop, 1000 : accept }`,
  )

function ruleOf(layer: 'bridge' | 'inet', chains: readonly string[]): fc.Arbitrary<string> {
  const match =
    layer === 'bridge' ? fc.oneof(common, bridgeOnly, bridgeOnly) : fc.oneof(common, common, ipOnly)
  const rule = words(
    match,
    fc.oneof({ weight: 2, arbitrary: fc.constant('') }, { weight: 1, arbitrary: match }),
    statement(layer, chains),
  )
  return chains.length === 0
    ? rule
    : fc.oneof({ weight: 6, arbitrary: rule }, { weight: 1, arbitrary: lookups(chains) })
}

/** A table of nft with two base chains, at hooks that a bridged frame meets, and two others. */
export function nftTable(layer: 'bridge' | 'inet'): fc.Arbitrary<string> {
  const hooks = layer === 'bridge' ? ['prerouting', 'forward', 'postrouting'] : ['prerouting', 'forward']
  const rules = (chains: readonly string[], count: number) =>
    fc.array(ruleOf(layer, chains), { minLength: count, maxLength: count })
  return fc
    .record({
      hooks: fc.shuffledSubarray(hooks, { minLength: 2, maxLength: 2 }),
      priority: fc.constantFrom(-300, -150, 10),
      policies: fc.tuple(fc.constantFrom('accept', 'drop'), fc.constant('accept')),
      first: rules(['one', 'two'], 7),
      second: rules(['two'], 5),
      one: rules(['two'], 4),
      two: rules([], 4),
    })
    .map(({ hooks: [first, second], priority, policies, ...bodies }) => {
      const base = (hook: string | undefined, policy: string) => {
        // Rules before conntrack see no connection, which is tried with those after it.
        const at = layer === 'inet' ? Math.max(priority, -150) : priority
        return `type filter hook ${hook} priority ${at}; policy ${policy};`
      }
      const only = (hook: string | undefined, list: readonly string[]) =>
        list.filter((rule) => hook !== 'prerouting' || !rule.includes('oifname'))
      return `table ${layer} drawn {
  set four { type ipv4_addr; flags interval; elements = { 10.0.0.11-10.0.0.12, 172.16.0.0/12 } }
  set six { type ipv6_addr; flags interval; elements = { 2001:db8::/64, fe80::5054:ff:fe00:a } }
  set both { type ipv4_addr . ipv4_addr; elements = { 10.0.0.11 . 10.0.0.12, 10.0.1.5 . 10.0.0.11 } }
  chain two {
${lines(bodies.two.filter((rule) => !rule.includes('oifname')))} }
  chain one {
${lines(bodies.one.filter((rule) => !rule.includes('oifname')))} }
  chain first { ${base(first, policies[0])}\n${lines(only(first, bodies.first))} }
  chain second { ${base(second, policies[1])}\n${lines(only(second, bodies.second))} }
}
`
    })
}

function lines(rules: readonly string[]): string {
  return rules.map((rule) => `${rule}\n`).join('')
}
