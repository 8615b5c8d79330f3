import fc from 'fast-check'

/** Two hosts of each kind of bridge would say the same twice: one each, two guests in two groups on either. */
export const proofInventory = JSON.stringify({
  all: {
    children: {
      hypervisors: {
        hosts: {
          'hv-ovs': {
            ansible_host: '192.0.2.11',
            gitwall: { bridges: { br0: { datapath: 'ovs', uplinks: ['uplink0'] } } },
          },
          'hv-linux': {
            ansible_host: '192.0.2.21',
            gitwall: { bridges: { vmbr0: { datapath: 'linux', uplinks: ['uplink0'] } } },
          },
        },
      },
      web: { hosts: { 'web-1': guest('hv-ovs', 'br0', 1), 'web-2': guest('hv-linux', 'vmbr0', 2) } },
      db: { hosts: { 'db-1': guest('hv-ovs', 'br0', 3), 'db-2': guest('hv-linux', 'vmbr0', 4) } },
    },
    vars: {
      gitwall_management: ['192.0.2.0/24'],
      gitwall_networks: { shop: { subnets: ['10.0.0.0/24', '2001:db8:0:10::/64'], gateways: ['10.0.0.1'] } },
    },
  },
})

function guest(host: string, bridge: string, number: number) {
  const nic = {
    port: `tap${number}i0`,
    bridge,
    network: 'shop',
    mac: `52:54:00:00:00:0${number}`,
    addresses: [`10.0.0.1${number}`, `2001:db8:0:10::1${number}`],
  }
  return { gitwall: { host, nics: [nic] } }
}

/** Few constants, close to each other, so that rules overlap, nest and touch. */
const prefixes = [
  '198.51.100.0/24',
  '198.51.100.0/25',
  '198.51.100.64/27',
  '198.51.100.7',
  '203.0.113.0/24',
  '10.0.0.0/24',
  '10.0.0.13',
  '0.0.0.0/0',
  '2001:db8:ff::/48',
  '2001:db8:ff::/64',
  '2001:db8:ff::1',
  '2001:db8:0:10::/64',
]
const ports = [1, 22, 80, 443, 1023, 1024, 8000, 8007, 8008, 9000, 65535]

const prefix = fc.constantFrom(...prefixes)
const portText = fc.oneof(
  fc.constantFrom(...ports).map(String),
  fc
    .tuple(fc.constantFrom(...ports), fc.constantFrom(...ports))
    .map(([a, b]) => (a === b ? `${a}` : `${Math.min(a, b)}-${Math.max(a, b)}`)),
)
const portList = fc.uniqueArray(portText, { minLength: 1, maxLength: 3 }).map((list) => list.join(','))
const service = fc.oneof(
  { weight: 4, arbitrary: portList.map((list) => `tcp/${list}`) },
  { weight: 2, arbitrary: portList.map((list) => `udp/${list}`) },
  portList.map((list) => `sctp/${list}`),
  fc.constantFrom(
    'tcp',
    'udp',
    'icmp',
    'icmp6',
    'icmp/8',
    'icmp/3',
    'icmp6/128',
    'ping',
    'proto/47',
    'any',
    'esp',
    'https',
    'dns',
  ),
)
const peer = fc.oneof(
  { weight: 3, arbitrary: prefix },
  fc.constantFrom('group:web', 'group:db', 'guest:db-1', 'set:a', 'set:b', 'set:c'),
  { weight: 2, arbitrary: fc.constant('any') },
)
const peers = fc.oneof(
  peer,
  fc.uniqueArray(
    peer.filter((one) => one !== 'any'),
    { minLength: 1, maxLength: 3 },
  ),
)
const verdict = fc.constantFrom('allow', 'allow', 'allow', 'deny', 'reject')

function rules(end: 'from' | 'to') {
  const rule = fc.record({
    verdict,
    services: fc.uniqueArray(service, { minLength: 1, maxLength: 3 }),
    peers,
    enabled: fc.constantFrom(true, true, true, false),
  })
  return fc.array(rule, { maxLength: 6 }).map((list) =>
    list.map((one, index) => ({
      name: `${end} ${index}`,
      [one.verdict]: one.services,
      [end]: one.peers,
      enabled: one.enabled,
    })),
  )
}

const set = fc.oneof(
  fc.uniqueArray(prefix, { maxLength: 4 }),
  fc.record({
    include: fc.uniqueArray(prefix, { minLength: 1, maxLength: 4 }),
    exclude: fc.uniqueArray(prefix, { maxLength: 3 }),
  }),
)
const firewall = fc.record({
  protects: fc.constantFrom('web', 'db', 'web:db', 'web:!web-1', 'all:!hypervisors'),
  inbound: fc.option(rules('from'), { nil: undefined }),
  outbound: fc.option(rules('to'), { nil: undefined }),
})

/**
 * A policy file that uses the whole language: sets with exclusions, groups, guests, ranges, lists, every protocol, deny and reject,
 * disabled rules, several firewalls of different order on one guest. As JSON, which is YAML.
 */
export const policyFile: fc.Arbitrary<string> = fc
  .record({
    sets: fc.record({ a: set, b: set, c: set }),
    firewalls: fc.array(firewall, { minLength: 1, maxLength: 3 }),
    hosts: fc.option(rules('from'), { nil: undefined }),
  })
  .map(({ sets, firewalls, hosts }) =>
    JSON.stringify({
      sets,
      firewalls: Object.fromEntries([
        ...firewalls.map((one, index) => [`f${index}`, { ...one, order: 100 + index }] as const),
        ...(hosts === undefined ? [] : [['hosts', { protects: 'hypervisors', inbound: hosts }] as const]),
      ]),
    }),
  )
