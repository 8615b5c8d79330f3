import { Ajv } from 'ajv'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { compare } from '../../src/compare.ts'
import { difference } from '../../src/meaning/difference.ts'
import { namesOf } from '../../src/meaning/names.ts'
import { formatMeaningJson } from '../../src/report/json/meaning.ts'
import type { MeaningReport } from '../../src/report/meaning.ts'
import { formatMeaning } from '../../src/report/text/meaning.ts'
import { painter } from '../../src/report/text/paint.ts'
import { codesOf, compileSmall, smallInventory } from '../fixtures.ts'

const policies = `
sets:
  office: [203.0.113.0/24, "2001:db8:ff::/48"]
  lab: [198.51.100.0/25]
firewalls:
  web:
    protects: web
    inbound:
      - { name: public, allow: https, from: any }
      - { name: ssh, allow: ssh, from: set:office }
    outbound:
      - { name: sql, allow: tcp/5432, to: group:db }
  db:
    protects: db
    inbound:
      - { name: sql, allow: tcp/5432, from: group:web }
`

function reportOf(before: readonly [string, string], after: readonly [string, string]): MeaningReport {
  const [old, young] = [compileSmall(...before), compileSmall(...after)]
  expect([...codesOf(old), ...codesOf(young)]).toEqual([])
  return {
    ...compare(old, young),
    base: '1'.repeat(40),
    commit: '2'.repeat(40),
    names: namesOf(young.repo),
    rules: new Map([...old.model.rules, ...young.model.rules]),
  }
}

/** The lines that begin with a sign: what is said, without the rules behind it. */
function said(
  before: string,
  after: string,
  inventories: readonly [string, string] = [smallInventory, smallInventory],
) {
  const report = reportOf([before, inventories[0]], [after, inventories[1]])
  return formatMeaning(report, { paint: painter(false), detail: 'full' })
    .split('\n')
    .filter((line) => /^([+-]| {4}[^# ])/.test(line))
    .map((line) => line.trim())
}

const edit = (from: string, to: string): string => {
  expect(policies).toContain(from)
  return policies.replace(from, to)
}

describe('a change reads as who may newly talk to whom', () => {
  test.each<[string, string, string, readonly string[]]>([
    ['a port', 'allow: https,', 'allow: [https, http],', ['+ any → group:web (2 guests)  tcp/80  (inbound)']],
    [
      'one port for another',
      'allow: https,',
      'allow: tcp/8443,',
      [
        '+ any → group:web (2 guests)  tcp/8443  (inbound)',
        '- any → group:web (2 guests)  tcp/443  (inbound)',
      ],
    ],
    [
      'another set',
      'allow: ssh, from: set:office',
      'allow: ssh, from: [set:office, set:lab]',
      ['+ set:lab → group:web (2 guests)  tcp/22  (inbound)'],
    ],
    [
      'the world',
      'allow: ssh, from: set:office',
      'allow: ssh, from: any',
      ['+ any except set:office → group:web (2 guests)  tcp/22  (inbound)'],
    ],
    [
      'one family',
      'allow: ssh, from: set:office',
      'allow: ssh, from: [set:office, "::/0"]',
      ['+ any IPv6 except 2001:db8:ff::/48 → group:web (2 guests)  tcp/22  (inbound)'],
    ],
    [
      'a group as the sender',
      'tcp/5432, from: group:web',
      'tcp/5432-5433, from: group:web',
      ['+ group:web → guest:db-1  tcp/5433  (inbound)'],
    ],
    [
      'one of a group',
      'tcp/5432, from: group:web',
      'tcp/5432, from: guest:web-1',
      ['- guest:web-2 → guest:db-1  tcp/5432  (inbound)'],
    ],
    [
      'outbound traffic',
      'to: group:db',
      'to: set:lab',
      [
        '+ group:web (2 guests) → set:lab  tcp/5432  (outbound)',
        '- group:web (2 guests) → group:db  tcp/5432  (outbound)',
      ],
    ],
    [
      'fewer guests',
      'protects: db',
      'protects: "db:web"',
      ['+ group:web → group:web (2 guests)  tcp/5432  (inbound)'],
    ],
    [
      'a hole in what is allowed',
      '- { name: public',
      '- { name: no, deny: any, from: 203.0.113.7 }\n      - { name: public',
      ['- 203.0.113.7/32 → group:web (2 guests)  tcp/22,443  (inbound)'],
    ],
    [
      'everything but one',
      '- { name: ssh',
      '- { name: rest, allow: any, from: set:lab }\n      - { name: ssh',
      ['+ set:lab → group:web (2 guests)  any except tcp/443  (inbound)'],
    ],
  ])('%s', (_, from, to, expected) => {
    expect(said(policies, edit(from, to))).toEqual(expected)
    const back = expected.map((line) => (line.startsWith('+') ? `-${line.slice(1)}` : `+${line.slice(1)}`))
    expect(said(edit(from, to), policies).sort()).toEqual([...back].sort())
  })

  test('what opens more stands first, and all of it before what closes', () => {
    const after = edit('allow: ssh, from: set:office', 'allow: ssh, from: set:lab').replace(
      'tcp/5432, from: group:web',
      'tcp/1-65535, from: any',
    )
    expect(said(policies, after).map((line) => line.slice(0, 9))).toEqual([
      '+ any → g',
      '+ any exc',
      '+ set:lab',
      '- set:off',
    ])
  })

  test('the rule behind it is named with its place', () => {
    const text = formatMeaning(
      reportOf([policies, smallInventory], [edit('https,', 'http,'), smallInventory]),
      {
        paint: painter(false),
        detail: 'brief',
      },
    )
    expect(text).toContain('# "public" of firewall "web" at policies/main.yaml:9:9')
  })
})

describe('nothing is said', () => {
  test.each<[string, string, string]>([
    ['of another name for a rule', 'name: public', 'name: everybody'],
    ['of a comment', '  web:', '  # the shop\n  web:'],
    [
      'of the order of rules that do not meet',
      'name: public, allow: https, from: any',
      'name: ssh0, allow: https, from: any',
    ],
    [
      'of a rule that another one covers',
      '- { name: public',
      '- { name: more, allow: https, from: set:lab }\n      - { name: public',
    ],
    [
      'of deny instead of nothing',
      '- { name: ssh',
      '- { name: no, reject: smtp, from: any }\n      - { name: ssh',
    ],
    ['of a set written otherwise', '203.0.113.0/24', '203.0.113.0/25, 203.0.113.128-203.0.113.255'],
  ])('%s', (_, from, to) => {
    expect(said(policies, edit(from, to))).toEqual([])
  })

  test('of a guest that moved to another host, and its port with it', () => {
    const moved = smallInventory.replace(
      'host: hv-1\n            nics: [{ port: tap101i0, bridge: br0',
      'host: hv-2\n            nics: [{ port: tap9, bridge: vmbr0',
    )
    expect(moved).not.toBe(smallInventory)
    expect(said(policies, policies, [smallInventory, moved])).toEqual([])
  })
})

describe('what comes and goes', () => {
  const third = smallInventory.replace(
    '    db:\n',
    '        web-3:\n          gitwall:\n            host: hv-1\n            nics: [{ port: tap103i0, bridge: br0, network: shop, mac: "52:54:00:00:01:03", addresses: [10.0.0.13] }]\n    db:\n',
  )

  test('a new guest is told with all it may do, and where groups have grown', () => {
    expect(said(policies, policies, [smallInventory, third])).toEqual([
      '+ guest:web-3: new here, with',
      'any → guest:web-3  tcp/443  (inbound)',
      'set:office → guest:web-3  tcp/22  (inbound)',
      'guest:web-3 → group:db  tcp/5432  (outbound)',
      '+ guest:web-3 → guest:db-1  tcp/5432  (inbound)',
    ])
  })

  test('a guest that went is told, too', () => {
    expect(said(policies, policies, [third, smallInventory]).filter((line) => line.includes('gone'))).toEqual(
      ['- guest:web-3: gone, with'],
    )
  })

  test('a first firewall closes, the last one that goes opens', () => {
    const none = policies.slice(0, policies.indexOf('  db:\n'))
    const expected = [
      '- any → guest:db-1  any except tcp/5432  (inbound)',
      '- guest:db-1 → any  any  (outbound)',
      '- any except group:web → guest:db-1  tcp/5432  (inbound)',
    ]
    expect(said(none, policies).sort()).toEqual([...expected].sort())
    expect(said(policies, none).sort()).toEqual(expected.map((line) => line.replace('-', '+')).sort())
  })

  test.each<[string, string, string, readonly string[]]>([
    [
      'anti-spoofing that goes off',
      'bridge: br0, network: shop, mac: "52:54:00:00:01:01"',
      'antispoof: off, ',
      ['use any source'],
    ],
    [
      'a DHCP server',
      'bridge: br0, network: shop, mac: "52:54:00:00:01:01"',
      'dhcp_server: true, ',
      ['answer DHCP'],
    ],
    [
      'a further source',
      'bridge: br0, network: shop, mac: "52:54:00:00:01:01"',
      'pairs: [{ prefix: 10.0.0.99 }], ',
      ['use the source 10.0.0.99/32'],
    ],
  ])('%s', (_, at, more, expected) => {
    const changed = smallInventory.replace(at, more + at)
    expect(changed).not.toBe(smallInventory)
    const lines = said(policies, policies, [smallInventory, changed])
    for (const text of expected) expect(lines.join('\n')).toContain(`+ guest:web-1 may ${text}`)
  })
})

test('the management floor of a hypervisor counts', () => {
  const own = `${policies}  hosts: { protects: hypervisors, inbound: [] }\n`
  expect(
    said(own, own, [smallInventory, smallInventory.replace('[192.0.2.0/24]', '[192.0.2.0/25]')]),
  ).toEqual(['- 192.0.2.128/25 → group:hypervisors (2 hosts)  tcp/22  (inbound)'])
})

test('rules that are the same object are not looked at', () => {
  const { model } = compileSmall(policies)
  const untouchable = {
    ...model,
    hosts: model.hosts.map((host) => ({
      ...host,
      nics: host.nics.map((nic) => ({ ...nic, inbound: { kind: 'filtered' as const, rules: forbidden } })),
    })),
  }
  expect(difference(untouchable, untouchable)).toEqual([])
})
const forbidden = new Proxy([], {
  get: (target, key) => {
    if (key === 'length') return 0
    throw new Error(`read ${String(key)} of ${String(target)}`)
  },
})

test('the JSON form is what the published schema says', () => {
  const schema = JSON.parse(
    readFileSync(new URL('../../schemas/report.schema.json', import.meta.url), 'utf8'),
  ) as object
  const validate = new Ajv({ allErrors: true, strict: true, strictRequired: false }).compile(schema)
  const after = smallInventory.replace('tap201i0, bridge: br0', 'tap201i0, antispoof: off, bridge: br0')
  const report = reportOf([policies, smallInventory], [edit('https,', '[http, icmp, proto/47],'), after])
  const json = JSON.parse(formatMeaningJson(report)) as {
    changes: readonly object[]
    objects: readonly object[]
  }
  validate(json)
  expect(validate.errors).toBeNull()
  expect(json.changes.length).toBeGreaterThan(2)
  expect(json.objects).toHaveLength(2)
})
