import { expect, test } from 'vitest'
import { lines, load, marked, policy } from './repository.ts'

interface Mistake {
  readonly says: string
  /** The file that holds the mistake; ▸ stands right before the place that must be named. */
  readonly file?: string
  readonly text: string
  readonly others?: Readonly<Record<string, string>>
  readonly code: string
  readonly message: string
}

const network = 'gitwall_networks: { lan: { subnets: [10.0.0.0/24, "2001:db8::/64"], gateways: [10.0.0.1] } }'

/** An inventory with one hypervisor and the guest that `nic` describes; `nic` may change or add keys. */
function withNic(nic: Readonly<Record<string, string>>, more = ''): string {
  const keys = {
    port: 'tap1',
    bridge: 'br0',
    network: 'lan',
    mac: '"52:54:00:00:00:01"',
    addresses: '[10.0.0.11]',
    ...nic,
  }
  const lines = Object.entries(keys).map(([key, value]) => `              ${key}: ${value}`)
  return inventory(`        web-1:
          gitwall:
            host: hv-1
            nics:
            -
${lines.join('\n')}
${more}`)
}

function inventory(
  guests: string,
  hypervisor = '{ gitwall: { bridges: { br0: { datapath: ovs, uplinks: [eth0] } } } }',
): string {
  return `all:
  vars:
    ${network}
  children:
    hypervisors:
      hosts:
        hv-1: ${hypervisor}
    web:
      hosts:
${guests}`
}

const guest = '        web-1: { gitwall: { host: hv-1, nics: [] } }\n'
const hypervisor = (gitwall: string): string => inventory(guest, gitwall)

const mistakes: readonly Mistake[] = [
  // hosts and groups
  {
    says: 'a misspelt section',
    text: 'all:\n  children:\n    web:\n      ▸host: { web-1: }\n',
    code: 'unknown-key',
    message: 'unknown key "host": did you mean "hosts"?',
  },
  {
    says: 'a bad host name',
    text: inventory(`${guest}        ▸"web;1": {}\n`),
    code: 'bad-name',
    message: '"web;1" is not allowed as the name of a host',
  },
  {
    says: 'a host with a port',
    text: inventory(`${guest}        ▸web-2:2222: {}\n`),
    code: 'bad-name',
    message: 'write the port as "ansible_port"',
  },
  {
    says: 'a bad group name',
    text: `${inventory(guest)}    ▸"a/b": {}\n`,
    code: 'bad-name',
    message: 'as the name of a group',
  },
  {
    says: 'a name that is a number for Ansible',
    text: inventory(`${guest}        ▸101: {}\n`),
    code: 'quote-it',
    message: 'Ansible reads the name "101" as the number 101: quote it',
  },
  {
    says: 'a name that is a truth value for Ansible',
    text: inventory(`${guest}        ▸no: {}\n`),
    code: 'quote-it',
    message: 'as the truth value false',
  },
  {
    says: 'a group and a host of one name',
    text: inventory(`${guest}        ▸hypervisors: {}\n`),
    code: 'host-and-group',
    message: '"hypervisors" is a group, too, at inventory/hosts.yaml:5:5',
  },
  {
    says: 'a loop of groups',
    text: 'all:\n  children:\n    web: { children: { a: } }\n    a: { children: { ▸web: } }\n',
    code: 'group-loop',
    message: 'group "web" is a child of itself, by way of "a"',
  },
  {
    says: 'all as a child',
    text: 'web: { children: { ▸all: } }\n',
    code: 'group-loop',
    message: 'group "all" holds every group',
  },
  {
    says: 'a priority that is no number',
    text: 'web: { vars: { ansible_group_priority: ▸high } }\n',
    code: 'wrong-value',
    message: 'must be a whole number',
  },
  {
    says: 'a range without an end',
    text: inventory(`${guest}        ▸"db-[1:]": {}\n`),
    code: 'host-range',
    message: 'goes from a number to a number',
  },
  {
    says: 'a range that goes downwards',
    text: inventory(`${guest}        ▸"db-[4:1]": {}\n`),
    code: 'host-range',
    message: 'swap its ends',
  },
  {
    says: 'a range of unequal lengths',
    text: inventory(`${guest}        ▸"db-[01:100]": {}\n`),
    code: 'host-range',
    message: 'both ends of a range have the same length',
  },
  {
    says: 'a range without its bracket',
    text: inventory(`${guest}        ▸"db-[1:4": {}\n`),
    code: 'host-range',
    message: 'a bracket has no pair',
  },
  {
    says: 'a range of a billion',
    text: inventory(`${guest}        ▸"db-[0:999999999]": {}\n`),
    code: 'host-range',
    message: 'use a smaller range',
  },
  {
    says: 'ranges that multiply',
    text: inventory(`${guest}        ▸"db-[0:999][0:999][0:999]": {}\n`),
    code: 'host-range',
    message: 'use a smaller range',
  },
  // what only Ansible can read
  {
    says: 'a template for the hosts',
    text: 'web:\n  hosts: ▸"{{ x }}"\n',
    code: 'wrong-type',
    message: '"hosts" must be a mapping or empty, found the text',
  },
  {
    says: 'a template for a list of ours',
    text: inventory('        web-1: { gitwall: { host: hv-1, nics: ▸"{{ x }}" } }\n'),
    code: 'template',
    message: 'is a template',
  },
  {
    says: 'an inventory plugin',
    file: 'inventory/aws.yaml',
    others: { 'inventory/hosts.yaml': inventory(guest) },
    text: '▸plugin: amazon.aws.aws_ec2\n',
    code: 'inventory-plugin',
    message: 'an inventory plugin is a program',
  },
  {
    says: 'an INI inventory',
    file: 'inventory/hosts',
    others: { 'inventory/hosts.yaml': inventory(guest) },
    text: '▸[web]\nweb-1\n',
    code: 'unread-file',
    message: 'only YAML inventories are read: convert it',
  },
  {
    says: 'a template of ours',
    text: inventory('        web-1: { gitwall: { host: ▸"{{ where }}", nics: [] } }\n'),
    code: 'template',
    message: '"{{ where }}" is a template',
  },
  {
    says: 'a template for the whole variable',
    text: inventory('        web-1: { gitwall: ▸"{{ lookup(1) }}" }\n'),
    code: 'template',
    message: 'ansible-inventory --list --export prints it',
  },
  {
    says: 'a vault of ours',
    text: inventory('        web-1: { gitwall: { host: hv-1, nics: ▸!vault "6162" } }\n'),
    code: 'vault',
    message: 'encrypted for Ansible',
  },
  {
    says: "a template in a hypervisor's address",
    text: hypervisor('{ ansible_host: ▸"{{ x }}", gitwall: { bridges: { br0: { datapath: ovs } } } }'),
    code: 'template',
    message: 'is a template',
  },
  {
    says: 'an unknown tag',
    text: hypervisor('{ x: ▸!secret 1, gitwall: { bridges: { br0: { datapath: ovs } } } }'),
    code: 'yaml-tag',
    message: 'unknown tag "!secret"',
  },
  {
    says: 'a vault file',
    file: 'inventory/group_vars/web/vault.yml',
    others: { 'inventory/hosts.yaml': inventory(guest) },
    text: '▸$ANSIBLE_VAULT;1.1;AES256\n6162\n',
    code: 'vault',
    message: 'the file is encrypted and was not read',
  },
  {
    says: 'two files of one group',
    file: 'inventory/group_vars/web.yaml',
    others: { 'inventory/hosts.yaml': inventory(guest), 'inventory/group_vars/web.yml': 'a: 1\n' },
    text: '▸a: 2\n',
    code: 'unread-file',
    message: 'Ansible reads only "inventory/group_vars/web.yml"',
  },
  {
    says: 'variables of an unknown group',
    file: 'inventory/group_vars/wbe.yaml',
    others: { 'inventory/hosts.yaml': inventory(guest) },
    text: '▸gitwall_management: [192.0.2.1]\n',
    code: 'unknown-group',
    message: 'unknown group "wbe": did you mean "web"?',
  },
  {
    says: 'foreign variables of an unknown host',
    file: 'inventory/host_vars/web-7.yaml',
    others: { 'inventory/hosts.yaml': inventory(guest) },
    text: '▸a: 1\n',
    code: 'unknown-host',
    message: 'no host is named "web-7"',
  },
  // the variable gitwall
  {
    says: 'a misspelt variable',
    text: inventory('        web-1: { ▸gitwal: { host: hv-1, nics: [] } }\n'),
    code: 'unknown-variable',
    message: 'unknown variable "gitwal": did you mean "gitwall"?',
  },
  {
    says: 'a host of two roles',
    text: inventory('        web-1: { ▸gitwall: { host: hv-1, nics: [], bridges: {} } }\n'),
    code: 'two-roles',
    message: 'host "web-1" is hypervisor and guest',
  },
  {
    says: 'a host of no role',
    text: inventory('        web-1: { ▸gitwall: {} }\n'),
    code: 'no-role',
    message: 'write "bridges" for a hypervisor',
  },
  {
    says: 'a guest without NICs',
    text: inventory('        web-1: { ▸gitwall: { host: hv-1 } }\n'),
    code: 'missing-key',
    message: 'guest "web-1" has no "nics"',
  },
  {
    says: 'a guest nowhere',
    text: inventory('        web-1: { gitwall: { host: ▸hv-9, nics: [] } }\n'),
    code: 'unknown-host',
    message: 'unknown host "hv-9": did you mean "hv-1"?',
  },
  {
    says: 'a guest on a guest',
    text: inventory(`${guest}        web-2: { gitwall: { host: ▸web-1, nics: [] } }\n`),
    code: 'not-a-hypervisor',
    message: 'host "web-1" has no "bridges"',
  },
  {
    says: 'a wrong datapath',
    text: hypervisor('{ gitwall: { bridges: { br0: { datapath: ▸ovss } } } }'),
    code: 'wrong-value',
    message: 'must be one of "ovs", "linux", found the text "ovss": did you mean "ovs"?',
  },
  {
    says: 'a bridge without a datapath',
    text: hypervisor('{ gitwall: { bridges: { ▸br0: {} } } }'),
    code: 'missing-key',
    message: 'key "datapath" is missing: Open vSwitch',
  },
  {
    says: 'an interface name that is too long',
    text: hypervisor('{ gitwall: { bridges: { br0: { datapath: ovs, uplinks: [▸enp101s0f0np0xyz] } } } }'),
    code: 'bad-name',
    message: 'at most 15',
  },
  {
    says: 'a bridge name with a slash',
    text: hypervisor('{ gitwall: { bridges: { br0: { datapath: ovs }, ▸br/0: { datapath: ovs } } } }'),
    code: 'bad-name',
    message: '"br/0" is not allowed as a name',
  },
  {
    says: 'an uplink of two bridges',
    text: hypervisor(
      '{ gitwall: { bridges: { br0: { datapath: ovs, uplinks: [eth0] }, br1: { datapath: ovs, uplinks: [▸eth0] } } } }',
    ),
    code: 'duplicate-port',
    message: 'port "eth0" is defined twice',
  },
  {
    says: 'management that is no prefix',
    text: hypervisor('{ gitwall: { management: [▸office], bridges: { br0: { datapath: ovs } } } }'),
    code: 'bad-address',
    message: '"office" is not an address',
  },
  // NICs
  {
    says: 'an unknown bridge',
    text: withNic({ bridge: '▸br1' }),
    code: 'unknown-bridge',
    message: 'unknown bridge "br1": did you mean "br0"?',
  },
  {
    says: 'an unknown network',
    text: withNic({ network: '▸internet' }),
    code: 'unknown-network',
    message: 'define it in "gitwall_networks"',
  },
  {
    says: 'a port with a shell in it',
    text: withNic({ port: '▸"$(reboot)"' }),
    code: 'bad-name',
    message: '"port": "$(reboot)" is not allowed',
  },
  {
    says: 'an unquoted MAC that is a number for Ansible',
    text: withNic({ mac: '▸52:54:00:00:00:01' }),
    code: 'quote-it',
    message: 'Ansible reads "52:54:00:00:00:01" as the number 41135040001: quote it',
  },
  {
    says: 'a MAC of a group',
    text: withNic({ mac: '▸"01:00:5e:00:00:01"' }),
    code: 'bad-mac',
    message: 'is not the MAC of one interface',
  },
  {
    says: 'a MAC that is none',
    text: withNic({ mac: '▸"52:54:00"' }),
    code: 'bad-mac',
    message: 'is not a MAC',
  },
  {
    says: 'an address with a length',
    text: withNic({ addresses: '[▸10.0.0.11/24]' }),
    code: 'bad-address',
    message: 'write it without "/"',
  },
  {
    says: 'a loopback address',
    text: withNic({ addresses: '[▸127.0.0.1]' }),
    code: 'bad-address',
    message: 'cannot be the address of an interface',
  },
  {
    says: 'an address of another network',
    text: withNic({ addresses: '[▸10.0.1.11]' }),
    code: 'outside-network',
    message: 'is in no subnet of network "lan"',
  },
  {
    says: 'the address of a gateway',
    text: withNic({ addresses: '[▸10.0.0.1]' }),
    code: 'gateway-address',
    message: '"10.0.0.1" is a gateway of network "lan"',
  },
  {
    says: 'a pair with a gateway in it',
    text: withNic({ pairs: '[{ prefix: ▸10.0.0.0/30 }]' }),
    code: 'gateway-address',
    message: 'holds the gateway "10.0.0.1"',
  },
  {
    says: 'a pair of everything',
    text: withNic({ pairs: '[{ prefix: ▸0.0.0.0/0 }]' }),
    code: 'pair-too-wide',
    message: 'write "antispoof: off" if you mean that',
  },
  {
    says: 'a pair of everything in IPv6',
    text: withNic({ pairs: '[{ prefix: ▸"::/0" }]' }),
    code: 'pair-too-wide',
    message: 'any source',
  },
  {
    says: 'yes for true',
    text: withNic({ dhcp_server: '▸yes' }),
    code: 'wrong-type',
    message: '"dhcp_server" must be true or false, found the text "yes"',
  },
  {
    says: 'an uplink as a port',
    text: withNic({ port: '▸eth0' }),
    code: 'port-is-uplink',
    message: 'port "eth0" is an uplink of "br0"',
  },
  {
    says: 'a port of two guests',
    text: withNic(
      {},
      '        web-2: { gitwall: { host: hv-1, nics: [{ port: ▸tap1, bridge: br0, network: lan, mac: "52:54:00:00:00:02", addresses: [] }] } }\n',
    ),
    code: 'claimed-twice',
    message: 'port "tap1" on host "hv-1" of guest "web-2" is that of "web-1"',
  },
  {
    says: 'a MAC of two guests',
    text: withNic(
      {},
      '        web-2: { gitwall: { host: hv-1, nics: [{ port: tap2, bridge: br0, network: lan, mac: ▸"52-54-00-00-00-01", addresses: [] }] } }\n',
    ),
    code: 'claimed-twice',
    message: 'MAC "52:54:00:00:00:01" in network "lan"',
  },
  {
    says: 'an address of two guests',
    text: withNic(
      {},
      '        web-2: { gitwall: { host: hv-1, nics: [{ port: tap2, bridge: br0, network: lan, mac: "52:54:00:00:00:02", addresses: [▸10.0.0.11] }] } }\n',
    ),
    code: 'claimed-twice',
    message: 'address "10.0.0.11" in network "lan"',
  },
  // networks
  {
    says: 'a network defined twice',
    file: 'inventory/group_vars/web.yaml',
    others: { 'inventory/hosts.yaml': inventory(guest) },
    text: 'gitwall_networks: { ▸lan: { subnets: [10.9.0.0/24] } }\n',
    code: 'duplicate-network',
    message: 'network "lan" is defined twice, first at inventory/hosts.yaml:3:25',
  },
  {
    says: 'a VLAN too high',
    text: inventory(guest).replace('{ lan: {', '{ x: { vlan: ▸4095, subnets: [] }, lan: {'),
    code: 'out-of-range',
    message: '"vlan" is "4095": use 1 to 4094',
  },
  {
    says: 'a gateway outside',
    text: inventory(guest).replace('gateways: [10.0.0.1]', 'gateways: [▸10.9.0.1]'),
    code: 'outside-network',
    message: 'gateway "10.9.0.1" is in no subnet',
  },
  {
    says: 'two networks of one zone',
    text: inventory(guest).replace('{ lan: {', '{ x: { zone: 7, subnets: [] }, lan: { zone: ▸7,'),
    code: 'duplicate-zone',
    message: 'zone "7" is defined twice',
  },
  // connections
  {
    says: 'a user that is an option',
    text: hypervisor('{ ansible_user: ▸-root, gitwall: { bridges: { br0: { datapath: ovs } } } }'),
    code: 'bad-connection',
    message: 'ansible_user "-root" is not valid',
  },
  {
    says: 'a key file that is an option',
    text: hypervisor(
      '{ ansible_ssh_private_key_file: ▸"-i", gitwall: { bridges: { br0: { datapath: ovs } } } }',
    ),
    code: 'bad-connection',
    message: 'ansible_ssh_private_key_file "-i" is not valid',
  },
  {
    says: 'a become that is neither yes nor no',
    text: hypervisor('{ ansible_become: ▸perhaps, gitwall: { bridges: { br0: { datapath: ovs } } } }'),
    code: 'bad-connection',
    message: 'use true or false',
  },
  {
    says: 'a jump host that is an option',
    text: hypervisor(
      '{ ansible_ssh_common_args: ▸"-J -oProxyCommand=x", gitwall: { bridges: { br0: { datapath: ovs } } } }',
    ),
    code: 'bad-connection',
    message: 'only "-J HOST"',
  },
  {
    says: 'a host that is an option',
    text: hypervisor(
      '{ ansible_host: ▸"-oProxyCommand=reboot", gitwall: { bridges: { br0: { datapath: ovs } } } }',
    ),
    code: 'bad-connection',
    message: 'ansible_host "-oProxyCommand=reboot" is not valid',
  },
  {
    says: 'a port that is none',
    text: hypervisor('{ ansible_port: ▸99999, gitwall: { bridges: { br0: { datapath: ovs } } } }'),
    code: 'bad-connection',
    message: 'is not a port',
  },
  {
    says: 'another argument of ssh',
    text: hypervisor(
      '{ ansible_ssh_common_args: ▸"-o StrictHostKeyChecking=no", gitwall: { bridges: { br0: { datapath: ovs } } } }',
    ),
    code: 'bad-connection',
    message: 'only "-J HOST" or "-o ProxyJump=HOST" is read',
  },
  {
    says: 'an argument behind the jump',
    text: hypervisor(
      '{ ansible_ssh_common_args: ▸"-J bastion -o StrictHostKeyChecking=no", gitwall: { bridges: { br0: { datapath: ovs } } } }',
    ),
    code: 'bad-connection',
    message: 'only "-J HOST"',
  },
  {
    says: 'a variable that is not followed',
    text: hypervisor('{ ▸ansible_ssh_host: 192.0.2.1, gitwall: { bridges: { br0: { datapath: ovs } } } }'),
    code: 'unread-variable',
    message: 'write "ansible_host"',
  },
]

test.each(mistakes)(
  '$says is one problem, told at its place',
  ({ file = 'inventory/hosts.yaml', text, others, code, message }) => {
    const { text: content, place } = marked(text)
    const policies =
      text.includes('web') || others !== undefined ? policy : policy.replace('protects: web', 'protects: all')
    const { problems } = load({ 'policies/p.yaml': policies, ...others, [file]: content })
    const told = problems.filter((problem) => problem.at.file.startsWith('inventory/'))
    expect(lines(told)).toEqual([`${file}:${place} ${code}`])
    expect(told[0]?.message).toContain(message)
  },
)

test('an inventory that is not there is told', () => {
  expect(lines(load({ 'policies/p.yaml': 'sets: {}\n' }).problems)).toEqual(['inventory:1:1 no-inventory'])
})

test('policies that are not there are told', () => {
  expect(lines(load({ 'inventory/hosts.yaml': 'web:\n' }).problems)).toEqual(['policies:1:1 no-policies'])
})

test('a broken inventory does not make every name of the policies unknown', () => {
  const { problems } = load({ 'inventory/hosts.yaml': 'all: [\n', 'policies/p.yaml': policy })
  expect(new Set(problems.map((problem) => problem.at.file))).toEqual(new Set(['inventory/hosts.yaml']))
})

test('on and off mean the same for antispoof as true and false', () => {
  const read = (antispoof: string) => {
    const { repo, problems } = load({
      'inventory/hosts.yaml': withNic({ antispoof }),
      'policies/p.yaml': policy,
    })
    expect(problems).toEqual([])
    const role = repo.inventory.hosts.get('web-1')?.role
    return role?.kind === 'guest' ? role.nics[0]?.antispoof : undefined
  }
  expect(['on', 'true', '"on"', 'off', 'false', '"off"'].map(read)).toEqual([
    'on',
    'on',
    'on',
    'off',
    'off',
    'off',
  ])
})

test("what is encrypted, templated or odd in other people's variables does not matter", () => {
  const text = `${inventory('        web-1: { gitwall: { host: hv-1, nics: [] }, password: !vault "61", motd: "\\e[0m", x: "{{ y }}", mac: 52:54:00:00:00:01 }\n')}        switch-1: { ansible_host: "{{ x }}", ansible_ssh_common_args: -v }\n`
  const { problems } = load({
    'inventory/hosts.yaml': text,
    'policies/p.yaml': policy.replace('web,', 'web-1,'),
  })
  expect(problems).toEqual([])
})

test('a firewall over a host without the variable is told', () => {
  const text = inventory(`${guest}        switch-1: {}\n`)
  const { problems } = load({ 'inventory/hosts.yaml': text, 'policies/p.yaml': policy })
  expect(lines(problems)).toEqual(['policies/p.yaml:3:20 not-protected'])
  expect(problems[0]?.message).toBe('"switch-1" cannot be protected: the variable "gitwall" is missing there')
})

test('groups nested without end are told, not counted out', () => {
  const chain = Array.from(
    { length: 3000 },
    (_, index) => `g${index}: { children: { g${index + 1}: } }\n`,
  ).join('')
  const text = `${chain}g3000: { hosts: { "h[1:1000]": } }\n`
  const { problems } = load({ 'inventory/hosts.yaml': text, 'policies/p.yaml': 'sets: {}\n' })
  expect(problems.map((problem) => problem.code)).toEqual(['inventory-too-large'])
})
