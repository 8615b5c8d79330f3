import { expect, test } from 'vitest'
import { lines, loadPolicy, marked } from './repository.ts'

interface Mistake {
  readonly says: string
  /** ▸ stands right before the place that must be named. */
  readonly text: string
  readonly code: string
  /** Part of the message: what, and what to do. */
  readonly message: string
}

const rule = (text: string): string =>
  `firewalls:\n  web:\n    protects: web\n    inbound:\n      - ${text}\n`
const testCase = (text: string): string => `tests:\n  - ${text}\n`

const mistakes: readonly Mistake[] = [
  // the shape
  {
    says: 'an unknown section',
    text: '▸firewals: {}\n',
    code: 'unknown-key',
    message: 'unknown key "firewals": did you mean "firewalls"?',
  },
  {
    says: 'a misspelt verdict',
    text: rule('{ name: x, ▸alow: ssh, from: any }'),
    code: 'unknown-key',
    message: 'unknown key "alow": did you mean "allow"?',
  },
  {
    says: 'a key that resembles none',
    text: rule('{ allow: ssh, from: any, ▸colour: red }'),
    code: 'unknown-key',
    message: 'unknown key "colour": known here: "name", "allow"',
  },
  {
    says: 'a misspelt required key',
    text: 'firewalls:\n  web:\n    ▸protect: web\n    inbound: []\n',
    code: 'unknown-key',
    message: 'did you mean "protects"?',
  },
  {
    says: 'a missing required key',
    text: 'firewalls:\n  ▸web:\n    inbound: []\n',
    code: 'missing-key',
    message: 'key "protects" is missing: Ansible host pattern',
  },
  {
    says: 'a rule without a peer',
    text: rule('▸{ allow: ssh }'),
    code: 'missing-key',
    message: 'key "from" is missing: write "from: any" if that is what you mean',
  },
  {
    says: 'an outbound peer in an inbound rule',
    text: rule('{ allow: ssh, from: any, ▸to: any }'),
    code: 'unknown-key',
    message: 'an inbound rule has no "to": write "from"',
  },
  {
    says: 'two verdicts',
    text: rule('▸{ allow: ssh, deny: dns, from: any }'),
    code: 'verdict',
    message: 'say exactly one of "allow", "deny", "reject"',
  },
  {
    says: 'no verdict',
    text: rule('▸{ name: x, from: any }'),
    code: 'verdict',
    message: 'say exactly one of',
  },
  {
    says: 'a number for text',
    text: rule('{ allow: ▸443, from: any }'),
    code: 'wrong-type',
    message: '"allow" must be text or a list, found the number "443" (quote it if it is text)',
  },
  {
    says: 'a mapping for a list',
    text: 'firewalls:\n  web:\n    protects: web\n    inbound:\n      ▸ssh: {}\n',
    code: 'wrong-type',
    message: '"inbound" must be a list, found a mapping',
  },
  {
    says: 'nothing for a list',
    text: 'firewalls:\n  web:\n    protects: web\n    ▸inbound:\n',
    code: 'wrong-type',
    message: '"inbound" must be a list, found nothing',
  },
  {
    says: 'an empty list of services',
    text: rule('{ allow: ▸[], from: any }'),
    code: 'empty-value',
    message: '"allow" is empty',
  },
  {
    says: 'an order out of range',
    text: 'firewalls:\n  web: { protects: web, order: ▸-1, inbound: [] }\n',
    code: 'out-of-range',
    message: '"order" is "-1": use 0 to 10000',
  },
  {
    says: 'a bad name',
    text: 'sets:\n  ▸../etc: [192.0.2.1]\n',
    code: 'bad-name',
    message: '"../etc" is not allowed as a name: use letters',
  },
  {
    says: 'a name that is too long',
    text: rule(`{ name: ▸${'x'.repeat(101)}, allow: ssh, from: any }`),
    code: 'too-long',
    message: '"name" has more than 100 characters',
  },
  {
    says: 'a name of two lines',
    text: rule('{ name: ▸"a\\nb", allow: ssh, from: any }'),
    code: 'bad-name',
    message: 'name "a\\u{a}b": write one line',
  },
  {
    says: 'a wrong choice',
    text: testCase('{ name: t, from: guest:web-1, to: guest:web-2, port: ssh, expect: ▸alow }'),
    code: 'wrong-value',
    message: '"expect" must be one of "allow", "deny", found the text "alow": did you mean "allow"?',
  },
  {
    says: 'a template, which means nothing here',
    text: testCase('{ name: t, from: guest:web-1, to: guest:web-2, port: ssh, expect: ▸"{{ x }}" }'),
    code: 'wrong-value',
    message: 'must be one of',
  },
  // names
  {
    says: 'an unknown set',
    text: rule('{ allow: ssh, from: ▸set:ofice }') + 'sets: { office: [192.0.2.1] }\n',
    code: 'unknown-set',
    message: 'unknown set "ofice": did you mean "office"?',
  },
  {
    says: 'an unknown group',
    text: rule('{ allow: ssh, from: [any-such, ▸group:wbe] }').replace('any-such, ', '192.0.2.1, '),
    code: 'unknown-group',
    message: 'did you mean "web"?',
  },
  {
    says: 'an unknown guest',
    text: rule('{ allow: ssh, from: ▸guest:web-9 }'),
    code: 'unknown-guest',
    message: 'unknown guest "web-9": did you mean "web-1"?',
  },
  {
    says: 'an unknown host',
    text: rule('{ allow: ssh, from: ▸host:atlantis }'),
    code: 'unknown-host',
    message: 'unknown host "atlantis": define it in the inventory',
  },
  {
    says: 'a hypervisor called a guest',
    text: rule('{ allow: ssh, from: ▸guest:hv-1 }'),
    code: 'unknown-guest',
    message: '"hv-1" is a host, not a guest: write "host:hv-1"',
  },
  {
    says: 'a bare word that is a group',
    text: rule('{ allow: ssh, from: ▸web }'),
    code: 'bad-peer',
    message: 'did you mean "group:web"?',
  },
  {
    says: 'a bare word that is nothing',
    text: rule('{ allow: ssh, from: ▸nowhere }'),
    code: 'bad-peer',
    message: 'is neither an address nor a reference',
  },
  {
    says: 'a reference without a name',
    text: rule('{ allow: ssh, from: ▸"set:" }'),
    code: 'bad-peer',
    message: 'write the name right after the colon',
  },
  {
    says: 'an unknown service',
    text: rule('{ allow: [http, ▸htps], from: any }'),
    code: 'unknown-service',
    message: 'unknown service "htps": did you mean "https"?',
  },
  {
    says: 'a port without a protocol',
    text: rule('{ allow: ▸"443", from: any }'),
    code: 'unknown-service',
    message: 'write the protocol, too: "tcp/443"',
  },
  {
    says: 'an unknown name in a pattern',
    text: 'firewalls:\n  w: { protects: ▸"web:&prdo", inbound: [] }\n',
    code: 'unknown-host-or-group',
    message: 'unknown host or group "prdo"',
  },
  {
    says: 'a slip in a pattern',
    text: 'firewalls:\n  w: { protects: ▸wbe, inbound: [] }\n',
    code: 'unknown-host-or-group',
    message: 'unknown host or group "wbe": did you mean "web"?',
  },
  {
    says: 'a regular expression as a pattern',
    text: 'firewalls:\n  w: { protects: ▸"~web.*", inbound: [] }\n',
    code: 'bad-pattern',
    message: 'use a glob',
  },
  {
    says: 'a subscript in a pattern',
    text: 'firewalls:\n  w: { protects: ▸"web[0]", inbound: [] }\n',
    code: 'bad-pattern',
    message: 'picks by position',
  },
  // defined twice
  {
    says: 'a rule name used twice',
    text: 'firewalls:\n  web:\n    protects: web\n    inbound:\n      - { name: a, allow: ssh, from: any }\n    outbound:\n      - ▸{ name: a, allow: ssh, to: any }\n',
    code: 'duplicate-rule',
    message: 'rule "a" is defined twice, first at policies/p.yaml:5:9',
  },
  {
    says: 'two equal rules without names',
    text: 'firewalls:\n  web:\n    protects: web\n    inbound:\n      - { allow: ssh, from: any }\n      - ▸{ allow: ssh, from: any }\n',
    code: 'duplicate-rule',
    message: 'this rule reads like that of line 5 ("allow ssh from any"): remove one, or give both a "name"',
  },
  {
    says: 'two tests of one name',
    text: 'tests:\n  - { name: t, from: 192.0.2.1, to: guest:web-1, port: ssh, expect: deny }\n  - ▸{ name: t, from: 192.0.2.2, to: guest:web-1, port: ssh, expect: deny }\n',
    code: 'duplicate-test',
    message: 'test "t" is defined twice, first at policies/p.yaml:2:5',
  },
  {
    says: 'a service that is built in',
    text: 'services:\n  ▸ssh: tcp/2222\n',
    code: 'built-in-service',
    message: 'service "ssh" is built in: choose another name',
  },
  {
    says: 'a service named as a protocol',
    text: 'services:\n  ▸gre: tcp/2222\n',
    code: 'built-in-service',
    message: 'is built in',
  },
  // literals
  {
    says: 'host bits',
    text: 'sets:\n  a: [▸10.0.0.5/24]\n',
    code: 'host-bits',
    message:
      '"10.0.0.5/24" has host bits set: write "10.0.0.0/24" for the network, or "10.0.0.5" for the address',
  },
  {
    says: 'host bits of IPv6',
    text: rule('{ allow: ssh, from: ▸2001:db8::1/64 }'),
    code: 'host-bits',
    message: 'write "2001:db8::/64" for the network, or "2001:db8::1"',
  },
  {
    says: 'an octet too large',
    text: rule('{ allow: ssh, from: ▸10.0.0.256 }'),
    code: 'bad-address',
    message: 'is not an address, prefix or range',
  },
  {
    says: 'a leading zero',
    text: 'sets:\n  a: [▸10.0.0.010]\n',
    code: 'bad-address',
    message: 'is not an address, prefix or range',
  },
  {
    says: 'an IPv4-mapped address',
    text: 'sets:\n  a: ["192.0.2.1", ▸"::ffff:192.0.2.1"]\n',
    code: 'bad-address',
    message: 'write the IPv4 address itself',
  },
  {
    says: 'a range that goes downwards',
    text: 'sets:\n  a: { include: [192.0.2.0/24], exclude: [▸192.0.2.9-192.0.2.1] }\n',
    code: 'bad-address',
    message: 'goes downwards: swap its ends',
  },
  {
    says: 'a range over two versions',
    text: 'sets:\n  a: [▸192.0.2.9-2001:db8::1]\n',
    code: 'bad-address',
    message: 'from one IP version to the other',
  },
  {
    says: 'a port too large',
    text: rule('{ allow: ▸tcp/65536, from: any }'),
    code: 'bad-service',
    message: 'ports are numbers up to 65535',
  },
  {
    says: 'an unknown protocol',
    text: rule('{ allow: ▸tpc/80, from: any }'),
    code: 'bad-service',
    message: 'did you mean "tcp/80"?',
  },
  {
    says: 'an unknown type of ICMP',
    text: rule('{ allow: ▸icmp/echo-requst, from: any }'),
    code: 'bad-service',
    message: 'did you mean "echo-request"?',
  },
  {
    says: 'protocol 0',
    text: rule('{ allow: ▸proto/0, from: any }'),
    code: 'bad-service',
    message: 'a number from 1 to 255',
  },
  // tests
  {
    says: 'a test of any',
    text: testCase('{ name: t, from: ▸any, to: guest:web-1, port: ssh, expect: deny }'),
    code: 'bad-test',
    message: 'a test needs addresses',
  },
  {
    says: 'a test of two ports',
    text: testCase('{ name: t, from: 192.0.2.1, to: guest:web-1, port: ▸tcp/80-81, expect: deny }'),
    code: 'bad-test',
    message: 'is not one port',
  },
  {
    says: 'a test of two protocols',
    text: testCase('{ name: t, from: 192.0.2.1, to: guest:web-1, port: ▸ping, expect: deny }'),
    code: 'bad-test',
    message: '"ping" is icmp/8 and icmp6/128: test one of them',
  },
  {
    says: 'a test whose name has two lines',
    text: testCase('{ name: ▸"a\\nb", from: 192.0.2.1, to: guest:web-1, port: ssh, expect: deny }'),
    code: 'bad-name',
    message: 'write one line',
  },
  // warnings
  {
    says: 'a set that excludes itself',
    text: 'sets:\n  ▸a: { include: [192.0.2.1], exclude: [192.0.2.0/24] }\n',
    code: 'empty-set',
    message: 'excludes all it includes',
  },
  {
    says: 'a firewall without rules',
    text: 'firewalls:\n  ▸web: { protects: web }\n',
    code: 'no-rules',
    message: 'it does nothing',
  },
  {
    says: 'a firewall for nobody',
    text: 'firewalls:\n  w: { protects: ▸"web:&app", inbound: [] }\n',
    code: 'protects-nobody',
    message: 'protects nobody',
  },
  {
    says: 'any among others',
    text: rule('{ allow: ssh, from: [192.0.2.1, ▸any] }'),
    code: 'any-among-peers',
    message: '"any" holds everyone',
  },
]

test.each(mistakes)('$says is one problem, told at its place', ({ text, code, message }) => {
  const { text: policy, place } = marked(text)
  const { problems } = loadPolicy(policy)
  expect(lines(problems)).toEqual([`policies/p.yaml:${place} ${code}`])
  expect(problems[0]?.message).toContain(message)
})

test('every mistake of a file is told, in order', () => {
  const text = [
    'sets:',
    '  a: [10.0.0.5/24, 300.0.0.1]',
    'firewalls:',
    '  web:',
    '    protects: web',
    '    inbund: []',
    '    inbound:',
    '      - { allow: htps, form: any }',
    '      - { allow: ssh, from: group:nobody }',
  ].join('\n')
  expect(lines(loadPolicy(text).problems)).toEqual([
    'policies/p.yaml:2:7 host-bits',
    'policies/p.yaml:2:20 bad-address',
    'policies/p.yaml:6:5 unknown-key',
    'policies/p.yaml:8:18 unknown-service',
    'policies/p.yaml:8:24 unknown-key',
    'policies/p.yaml:9:29 unknown-group',
  ])
})

test('no message repeats control characters or more than a piece of what the user wrote', () => {
  const evil = '\\e[31m\\u202e' + 'x'.repeat(5000)
  const { problems } = loadPolicy(
    `sets: { a: ["${evil}"] }\nfirewalls: { w: { protects: web, "${evil}": 1, inbound: [{ allow: "${evil}", from: "${evil}" }] } }\n`,
  )
  expect(problems.length).toBeGreaterThan(0)
  for (const { message } of problems) {
    expect(message).toMatch(/^[^\u0000-\u001f\u007f-\u009f\u202a-\u202e]*$/)
    expect(message.length).toBeLessThan(250)
  }
})
