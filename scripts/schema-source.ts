/**
 * The one source of the JSON Schemas: what editors complete by and what a run checks first. `npm run schemas` writes it out
 * to `schemas/*.json` and to `schemas.generated.ts`; the product imports those, never this file (typebox takes 130 ms to load).
 *
 * Two rules keep it fit for both uses. No `anyOf`: a union is written as a list of types, so that a mistake is reported once.
 * `patternErrorMessage` says in words what a pattern wants; editors know that keyword too.
 */
import { type TProperties, type TSchema, Type } from 'typebox'

const interfaceName = '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$'
const interfaceNameWords = 'letters, digits, "_", "." and "-", at most 15, a letter or digit first'
const documentName = '^[A-Za-z0-9_](?:[A-Za-z0-9_. -]{0,61}[A-Za-z0-9_.-])?$'
const documentNameWords = 'letters, digits, spaces, "_", "." and "-", at most 63, a letter or digit first'

/** Schema of a file under `policies/`. */
export const policiesSchema = root('gitwall policies', policyFile())

/** Schema of a file of hosts and groups under `inventory/`. */
export const inventorySchema = root('gitwall inventory: an Ansible inventory with the variable "gitwall"', {
  ...optionalMap('Groups by name.', Type.Unsafe({ $ref: '#/definitions/Group' })),
  definitions: { Group: group(), Variables: variables() },
})

/** Schema of a file under `inventory/group_vars/` or `inventory/host_vars/`. */
export const variablesSchema = root('Ansible variables, "gitwall" among them', variables())

function root(title: string, schema: TSchema): TSchema {
  return { $schema: 'http://json-schema.org/draft-07/schema#', title, ...schema }
}

function policyFile(): TSchema {
  return closed('Sets, services, firewalls and tests; any number of such files is merged.', {
    sets: Type.Optional(named('Named lists of addresses.', addressSet())),
    services: Type.Optional(
      named('Names for protocols and ports, beside the built-in ones (ssh, https, dns, …).', services()),
    ),
    firewalls: Type.Optional(named('Lists of rules, and whom they protect.', firewall())),
    tests: Type.Optional(list('What must hold: checked before anything is written to a host.', test())),
  })
}

function addressSet(): TSchema {
  const addresses =
    'Addresses (192.0.2.7), prefixes (10.0.0.0/8) and ranges (192.0.2.7-192.0.2.9), IPv4 and IPv6.'
  return Type.Unsafe({
    type: ['array', 'object'],
    description: `${addresses} Or a mapping of "include" and "exclude".`,
    items: { type: 'string' },
    properties: {
      include: { type: 'array', items: { type: 'string' }, description: addresses },
      exclude: { type: 'array', items: { type: 'string' }, description: 'Taken out of "include".' },
    },
    required: ['include'],
    additionalProperties: false,
  })
}

function services(): TSchema {
  return texts(
    'What a packet must be: tcp/443, udp/5000-5010, icmp/echo-request, proto/47, or a built-in service.',
  )
}

function firewall(): TSchema {
  return closed('Rules in order, the first that matches wins, and whom they protect.', {
    protects: Type.String({
      minLength: 1,
      description: 'Ansible host pattern of guests or hypervisors: "web:&prod:!canary".',
    }),
    order: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 10_000,
        default: 100,
        description: 'Firewalls of a lower order come first.',
      }),
    ),
    description: description(),
    inbound: Type.Optional(
      list('Rules for traffic to the protected. [] denies everything; left out: not filtered.', rule('from')),
    ),
    outbound: Type.Optional(
      list('Rules for traffic from the protected. [] denies everything; left out: not filtered.', rule('to')),
    ),
  })
}

function rule(peerKey: 'from' | 'to'): TSchema {
  const verdict = (does: string): TSchema =>
    Type.Optional(texts(`Services that the rule ${does}: ssh, tcp/443, any, or a list.`))
  const peers =
    'any, set:NAME, group:NAME, guest:NAME, host:NAME, an address, a prefix or a range; or a list of them.'
  return closed(
    'One line of a firewall: a verdict on services, and the other end.',
    {
      name: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 100,
          description: 'Unique in its firewall. The identity of the rule: counters and logs refer to it.',
        }),
      ),
      allow: verdict('lets pass'),
      deny: verdict('drops silently'),
      reject: verdict('answers with an error'),
      [peerKey]: texts(peerKey === 'from' ? `Who sends: ${peers}` : `Who receives: ${peers}`),
      enabled: Type.Optional(
        Type.Boolean({ default: true, description: 'false: the rule is kept but not applied.' }),
      ),
      description: description(),
    },
    { oneOf: ['allow', 'deny', 'reject'].map((key) => ({ required: [key] })) },
  )
}

function test(): TSchema {
  const end = 'guest:NAME, host:NAME, group:NAME, set:NAME, an address or a prefix.'
  return closed('One statement about who may talk to whom.', {
    name: Type.String({ minLength: 1, maxLength: 100, description: 'What the test says, in words.' }),
    from: Type.String({ minLength: 1, description: `Who sends: ${end}` }),
    to: Type.String({ minLength: 1, description: `Who receives: ${end}` }),
    port: Type.String({ minLength: 1, description: 'One protocol and port: tcp/443, udp/53, icmp, https.' }),
    expect: choice(['allow', 'deny'], 'The verdict that must hold for every pair of the two ends.'),
    description: description(),
  })
}

function group(): TSchema {
  return {
    ...optionalMap('A group of hosts, as Ansible means it.', {}),
    properties: {
      hosts: optionalMap(
        'Hosts by name; ranges such as hv-[1:4] are expanded.',
        Type.Unsafe({ $ref: '#/definitions/Variables' }),
      ),
      children: optionalMap('Groups within this group.', Type.Unsafe({ $ref: '#/definitions/Group' })),
      vars: Type.Unsafe({ $ref: '#/definitions/Variables' }),
    },
    additionalProperties: false,
  }
}

function variables(): TSchema {
  return {
    ...optionalMap('Variables of a host or group. Those not named here are left to Ansible.', {}),
    properties: {
      gitwall: role(),
      gitwall_networks: named('Networks that guests are attached to, of the whole fleet.', network()),
      gitwall_management: addresses(
        'Sources whose SSH to a hypervisor no policy can shut out; added to its own "management".',
      ),
      ansible_host: Type.String({ description: 'Name or address to connect to.' }),
      ansible_port: Type.Unsafe({ type: ['integer', 'string'], description: 'Port of sshd.' }),
      ansible_user: Type.String({ description: 'User to log in as.' }),
      ansible_ssh_private_key_file: Type.String({ description: 'File of the private key.' }),
      ansible_become: Type.Unsafe({
        type: ['boolean', 'string'],
        description: 'true: commands run under sudo -n.',
      }),
      ansible_ssh_common_args: Type.String({ description: 'Only -J HOST or -o ProxyJump=HOST.' }),
    },
    additionalProperties: true,
  }
}

/** A hypervisor has `bridges`, a guest has `host` and `nics`; that it is one of them is checked when it is read. */
function role(): TSchema {
  return closed(
    'What gitwall knows of the host: a hypervisor has "bridges", a guest has "host" and "nics".',
    {
      bridges: Type.Optional(byInterface('Hypervisor: its bridges by name.', bridge())),
      management: Type.Optional(addresses('Hypervisor: sources whose SSH no policy can shut out.')),
      host: Type.Optional(
        Type.String({ description: 'Guest: the inventory name of the hypervisor it runs on.' }),
      ),
      nics: Type.Optional(list('Guest: its network interfaces.', nic())),
    },
  )
}

function bridge(): TSchema {
  return closed('A bridge that guests are attached to.', {
    datapath: choice(['ovs', 'linux'], 'Open vSwitch, or a bridge of the Linux kernel.'),
    uplinks: Type.Optional(
      list('Ports that lead out of the host. Left out: found on the host.', port('A port.')),
    ),
    unmanaged: Type.Optional(
      choice(
        ['leave', 'drop'],
        'What happens to traffic of ports that no guest of the inventory has. Default: leave.',
      ),
    ),
  })
}

function nic(): TSchema {
  return closed('A network interface of a guest.', {
    port: port('Interface on the hypervisor behind which the guest sits: tap101i0, vnet3, veth101i0.'),
    bridge: port('Bridge of the hypervisor that the port belongs to.'),
    network: Type.String({ description: 'Name of one of "gitwall_networks".' }),
    mac: Type.String({ description: 'Ethernet address, in quotes: "52:54:00:00:01:01".' }),
    addresses: addresses('Addresses of the guest on this interface: the only ones it may use as a source.'),
    pairs: Type.Optional(
      list(
        'Further sources the guest may use, e.g. a virtual address of VRRP or a network routed behind it.',
        closed('A source: a prefix, and a MAC if it is not the own one.', {
          mac: Type.Optional(
            Type.String({ description: 'Ethernet address, in quotes. Left out: the one of the interface.' }),
          ),
          prefix: Type.String({ description: 'Address or prefix.' }),
        }),
      ),
    ),
    antispoof: Type.Optional(
      Type.Unsafe({
        enum: ['on', 'off', true, false],
        description: 'off: the guest may send with any source address. Default: on.',
      }),
    ),
    dhcp_server: Type.Optional(
      Type.Boolean({ default: false, description: 'true: the guest may answer DHCP.' }),
    ),
    router_advertisements: Type.Optional(
      Type.Boolean({ default: false, description: 'true: the guest may send IPv6 router advertisements.' }),
    ),
  })
}

function network(): TSchema {
  return closed('A network that guests are attached to.', {
    vlan: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 4094,
        description: '802.1Q id on the uplinks. Left out: untagged.',
      }),
    ),
    subnets: addresses('Prefixes of the network.'),
    gateways: Type.Optional(addresses('Addresses of its routers: no guest may use them.')),
    zone: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 65_535,
        description: 'Connection tracking zone. Left out: derived from the name.',
      }),
    ),
  })
}

function closed(description: string, properties: TProperties, more: object = {}): TSchema {
  return Type.Object(properties, { description, additionalProperties: false, ...more })
}

function list(description: string, items: TSchema): TSchema {
  return Type.Array(items, { description })
}

function addresses(description: string): TSchema {
  return list(description, Type.String())
}

/** One text, or a list of at least one. */
function texts(description: string): TSchema {
  return Type.Unsafe({
    type: ['string', 'array'],
    minLength: 1,
    minItems: 1,
    items: { type: 'string', minLength: 1 },
    description,
  })
}

function choice(values: readonly string[], description: string): TSchema {
  return Type.Unsafe({ enum: values, description })
}

function port(description: string): TSchema {
  return Type.String({ pattern: interfaceName, patternErrorMessage: interfaceNameWords, description })
}

function description(): TSchema {
  return Type.Optional(Type.String({ description: 'For people.' }))
}

function named(description: string, value: TSchema): TSchema {
  return byName(description, documentName, documentNameWords, value)
}

function byInterface(description: string, value: TSchema): TSchema {
  return byName(description, interfaceName, interfaceNameWords, value)
}

function byName(description: string, pattern: string, words: string, value: TSchema): TSchema {
  return Type.Unsafe({
    type: 'object',
    description,
    patternProperties: { [pattern]: value },
    additionalProperties: false,
    patternErrorMessage: words,
  })
}

function optionalMap(description: string, value: TSchema): TSchema {
  return Type.Unsafe({ type: ['object', 'null'], description, additionalProperties: value })
}
