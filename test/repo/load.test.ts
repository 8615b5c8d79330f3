import { expect, test } from 'vitest'
import { fleet, lines, load, loadPolicy, policy } from './repository.ts'

test('a policy is read as it is written', () => {
  const { repo, problems } = loadPolicy(
    [
      'sets:',
      '  office: [203.0.113.0/24, "2001:db8:ff::1", 192.0.2.8-192.0.2.11]',
      '  partners: { include: [198.51.100.0/24], exclude: [198.51.100.66] }',
      'services: { api: [tcp/8443, tcp/9000-9010, dns] }',
      'firewalls:',
      '  web:',
      '    protects: web',
      '    order: 7',
      '    description: the shop',
      '    inbound:',
      '      - { name: public, allow: [http, https, api], from: any }',
      '      - { deny: any, from: [set:office, group:app, guest:app-1, host:hv-1, 10.1.0.0/16], enabled: false }',
      '    outbound:',
      '      - { reject: icmp/3, to: set:partners }',
      '  shut: { protects: app, inbound: [] }',
      'tests:',
      '  - { name: t, from: 203.0.113.9, to: guest:web-1, port: https, expect: allow }',
    ].join('\n'),
  )
  expect(problems).toEqual([])
  const at = (line: number, column: number) => ({ file: 'policies/p.yaml', line, column })
  expect(repo.sets.get('office')).toEqual({
    name: 'office',
    include: ['203.0.113.0/24', '2001:db8:ff::1/128', '192.0.2.8/30'],
    exclude: [],
    source: at(2, 3),
  })
  expect(repo.sets.get('partners')).toMatchObject({
    include: ['198.51.100.0/24'],
    exclude: ['198.51.100.66/32'],
  })
  const tcp = (...ranges: readonly number[][]) => ({
    protocol: 'tcp',
    sourcePorts: [],
    ports: ranges.map(([first, last = first]) => ({ first, last })),
  })
  const udpDns = { protocol: 'udp', sourcePorts: [], ports: [{ first: 53, last: 53 }] }
  expect(repo.services.get('api')).toEqual({
    name: 'api',
    matches: [tcp([53], [8443], [9000, 9010]), udpDns],
    source: at(4, 13),
  })
  expect(repo.services.get('ssh')).toEqual({ name: 'ssh', matches: [tcp([22])] })
  expect(repo.firewalls.get('web')).toEqual({
    name: 'web',
    protects: 'web',
    order: 7,
    source: at(6, 3),
    protectsSource: at(7, 15),
    inbound: [
      {
        name: 'public',
        verdict: 'allow',
        services: [tcp([53], [80], [443], [8443], [9000, 9010]), udpDns],
        peers: [{ kind: 'any', at: at(11, 58) }],
        enabled: true,
        source: at(11, 9),
      },
      {
        name: 'deny any from set:office, group:app, guest:app-1, host:hv-1, 10.1.0.0/16',
        verdict: 'deny',
        services: [{ protocol: 'any' }],
        peers: [
          { kind: 'set', name: 'office', at: at(12, 29) },
          { kind: 'group', name: 'app', at: at(12, 41) },
          { kind: 'guest', name: 'app-1', at: at(12, 52) },
          { kind: 'host', name: 'hv-1', at: at(12, 65) },
          { kind: 'prefixes', prefixes: ['10.1.0.0/16'], at: at(12, 76) },
        ],
        enabled: false,
        source: at(12, 9),
      },
    ],
    outbound: [
      {
        name: 'reject icmp/3 to set:partners',
        verdict: 'reject',
        services: [{ protocol: 'icmp', type: 3 }],
        peers: [{ kind: 'set', name: 'partners', at: at(14, 31) }],
        enabled: true,
        source: at(14, 9),
      },
    ],
  })
  expect(repo.firewalls.get('shut')).toMatchObject({ order: 100, inbound: [] })
  expect(repo.firewalls.get('shut')).not.toHaveProperty('outbound')
  expect(repo.tests).toEqual([
    {
      name: 't',
      from: { kind: 'prefixes', prefixes: ['203.0.113.9/32'], at: at(17, 22) },
      to: { kind: 'guest', name: 'web-1', at: at(17, 39) },
      service: tcp([443]),
      expect: 'allow',
      source: at(17, 5),
    },
  ])
})

test('an inventory is read as it is written', () => {
  const { repo, problems } = load({
    'policies/p.yaml': policy,
    'inventory/hosts.yaml': [
      'hypervisors:',
      '  hosts:',
      '    hv-1:',
      '      ansible_host: 192.0.2.11',
      '      ansible_port: "2222"',
      '      gitwall: { bridges: { br0: { datapath: ovs, uplinks: [eth0], unmanaged: drop } }, management: [198.51.100.7] }',
      '    hv-2:',
      '      ansible_ssh_common_args: -o ProxyJump="root@[2001:db8::1]:2222,bastion"',
      '      gitwall: { bridges: { vmbr0: { datapath: linux } } }',
      '  vars:',
      '    ansible_user: root',
      '    ansible_become: yes',
      '    ansible_ssh_private_key_file: ~/.ssh/id_ed25519',
      '    gitwall_management: [192.0.2.0/25, 192.0.2.128/25]',
      'web:',
      '  hosts:',
      '    web-1:',
      '      gitwall:',
      '        host: hv-1',
      '        nics:',
      '          - port: tap1',
      '            bridge: br0',
      '            network: lan',
      '            mac: "52-54-00-AB-00-01"',
      '            addresses: [10.0.0.11, "2001:DB8:0::11", "fe80::11"]',
      '            pairs: [{ prefix: 10.9.0.0/16 }, { mac: "00:00:5e:00:01:01", prefix: 10.0.0.99 }]',
      '            antispoof: on',
      '            dhcp_server: true',
      '            router_advertisements: true',
      '  vars:',
      '    gitwall_networks:',
      '      lan: { vlan: 10, zone: 77, subnets: [10.0.0.0/24, "2001:db8::/64"], gateways: [10.0.0.1, "fe80::1"] }',
    ].join('\n'),
  })
  expect(problems).toEqual([])
  const at = (line: number, column: number) => ({ file: 'inventory/hosts.yaml', line, column })
  const [first, second, web] = [...repo.inventory.hosts.values()]
  expect(first).toEqual({
    name: 'hv-1',
    source: at(3, 5),
    ansible: {
      host: '192.0.2.11',
      port: 2222,
      user: 'root',
      privateKeyFile: '~/.ssh/id_ed25519',
      become: true,
    },
    role: {
      kind: 'hypervisor',
      bridges: [{ name: 'br0', datapath: 'ovs', uplinks: ['eth0'], unmanaged: 'drop', source: at(6, 29) }],
      management: ['192.0.2.0/24', '198.51.100.7/32'],
      source: at(6, 7),
    },
  })
  expect(second?.ansible.proxyJump).toBe('root@[2001:db8::1]:2222,bastion')
  expect(second?.role).toMatchObject({
    bridges: [{ uplinks: [], unmanaged: 'leave' }],
    management: ['192.0.2.0/24'],
  })
  expect(web?.role).toEqual({
    kind: 'guest',
    host: 'hv-1',
    source: at(18, 7),
    nics: [
      {
        port: 'tap1',
        bridge: 'br0',
        network: 'lan',
        mac: '52:54:00:ab:00:01',
        addresses: ['10.0.0.11', '2001:db8::11', 'fe80::11'],
        pairs: [{ prefix: '10.9.0.0/16' }, { mac: '00:00:5e:00:01:01', prefix: '10.0.0.99/32' }],
        antispoof: 'on',
        dhcpServer: true,
        routerAdvertisements: true,
        source: at(21, 13),
      },
    ],
  })
  expect(repo.networks.get('lan')).toEqual({
    name: 'lan',
    vlan: 10,
    zone: 77,
    subnets: ['10.0.0.0/24', '2001:db8::/64'],
    gateways: ['10.0.0.1', 'fe80::1'],
    source: at(32, 7),
  })
  expect(repo.inventory.groups).toEqual(
    new Map([
      ['all', ['hv-1', 'hv-2', 'web-1']],
      ['ungrouped', []],
      ['hypervisors', ['hv-1', 'hv-2']],
      ['web', ['web-1']],
    ]),
  )
})

test.each([
  '-J bastion',
  '-Jbastion',
  '-o ProxyJump=bastion',
  '-oProxyJump=bastion',
  "-o 'ProxyJump bastion'",
  '-o "ProxyJump=bastion"',
])('the jump host of %s is read', (text) => {
  const inventory = fleet.replace('hv-1: {', `hv-1: { ansible_ssh_common_args: ${JSON.stringify(text)},`)
  const { repo, problems } = load({ 'inventory/hosts.yaml': inventory, 'policies/p.yaml': policy })
  expect(problems).toEqual([])
  expect(repo.inventory.hosts.get('hv-1')?.ansible.proxyJump).toBe('bastion')
})

test('policies of many files are merged, and a name of two files names both', () => {
  const { repo, problems } = load({
    'inventory/hosts.yaml': fleet,
    'policies/a.yaml': 'sets:\n  x: [192.0.2.1]\nservices: { s: tcp/1 }\n',
    'policies/b.yml':
      'sets:\n  y: [192.0.2.2]\n  x: [192.0.2.3]\nservices:\n  s: tcp/2\nfirewalls:\n  f: { protects: web, inbound: [{ allow: s, from: set:x }] }\n',
    'policies/c.yaml': 'firewalls:\n  f: { protects: app, inbound: [] }\n',
  })
  expect(lines(problems)).toEqual([
    'policies/b.yml:3:3 duplicate-set',
    'policies/b.yml:5:3 duplicate-service',
    'policies/c.yaml:2:3 duplicate-firewall',
  ])
  expect(problems.map((problem) => problem.message)).toEqual([
    'set "x" is defined twice, first at policies/a.yaml:2:3: rename or remove one',
    'service "s" is defined twice, first at policies/a.yaml:3:13: rename or remove one',
    'firewall "f" is defined twice, first at policies/b.yml:7:3: rename or remove one',
  ])
  expect([...repo.sets.keys()]).toEqual(['x', 'y'])
})

test('what is wrong is left out, and the rest is read', () => {
  const { repo, problems } = loadPolicy(
    'firewalls:\n  good: { protects: web, inbound: [{ allow: ssh, from: any }, { allow: nonsense, from: any }] }\n  bad: { inbound: [] }\n',
  )
  expect(problems).toHaveLength(2)
  expect(repo.firewalls.get('good')?.inbound?.map((rule) => rule.name)).toEqual(['allow ssh from any'])
  expect(repo.firewalls.has('bad')).toBe(false)
})

test('files that are no policies are named, unless they are plainly none', () => {
  const files = {
    'inventory/hosts.yaml': fleet,
    'policies/p.yaml': policy,
    'policies/README.md': 'x',
    'policies/.keep': '',
    'docs/x.yaml': ':',
  }
  expect(load(files).problems).toEqual([])
  expect(lines(load({ ...files, 'policies/site/q.yaml': policy, 'policies/q.json': '{}' }).problems)).toEqual(
    ['policies/q.json:1:1 unread-file', 'policies/site/q.yaml:1:1 unread-file'],
  )
})

test('a file whose name could steer a terminal is refused under a harmless name', () => {
  const { problems } = load({
    'inventory/hosts.yaml': fleet,
    'policies/p.yaml': policy,
    'policies/\u001b[2J.yaml': 'sets: {}',
  })
  expect(lines(problems)).toEqual(['policies/\\u{1b}[2J.yaml:1:1 bad-file-name'])
})
