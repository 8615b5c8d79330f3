import { describe, expect, test } from 'vitest'
import { judge } from '../../src/meaning/policy.ts'
import { parseAddress } from '../../src/net/address.ts'
import { codesOf, compileSmall } from '../fixtures.ts'

const policies = `
firewalls:
  web:
    protects: web
    inbound:
      - { name: not him, deny: any, from: 203.0.113.9 }
      - { name: public, allow: [http, tcp/8000-8010], from: any }
      - { name: ping, allow: ping, from: any }
    outbound:
      - { name: sql, allow: tcp/5432, to: group:db }
  db:
    protects: db
    inbound:
      - { name: sql, allow: tcp/5432, from: group:web }
  hosts:
    protects: hypervisors
    inbound: []
`
const { model } = compileSmall(policies)

function verdict(
  source: string,
  destination: string,
  rest: { protocol: number; destinationPort?: number; icmpType?: number },
) {
  const [from, to] = [parseAddress(source), parseAddress(destination)]
  if (from === undefined || to === undefined) throw new Error('bad address in the test')
  const { verdict, judgements } = judge(model, { source: from, destination: to, ...rest })
  return `${verdict}: ${judgements.at(-1)?.place ?? 'nothing'}`
}
const tcp = (destinationPort: number) => ({ protocol: 6, destinationPort })

describe('the policy judges the first packet of a connection', () => {
  test.each([
    ['203.0.113.50', '10.0.0.11', tcp(80), 'allow: web-1 inbound'],
    ['203.0.113.9', '10.0.0.11', tcp(80), 'deny: web-1 inbound'],
    ['203.0.113.50', '10.0.0.11', tcp(8010), 'allow: web-1 inbound'],
    ['203.0.113.50', '10.0.0.11', tcp(8011), 'deny: web-1 inbound'],
    ['203.0.113.50', '10.0.0.11', { protocol: 17, destinationPort: 80 }, 'deny: web-1 inbound'],
    ['2001:db8:ff::1', '2001:db8:0:10::11', { protocol: 58, icmpType: 128 }, 'allow: web-1 inbound'],
    ['2001:db8:ff::1', '2001:db8:0:10::11', { protocol: 58, icmpType: 129 }, 'deny: web-1 inbound'],
    ['10.0.0.11', '10.0.0.21', tcp(5432), 'allow: db-1 inbound'],
    ['10.0.0.11', '10.0.0.21', tcp(5433), 'deny: web-1 outbound'],
    ['10.0.0.21', '10.0.0.11', tcp(80), 'deny: db-1 outbound'],
    ['10.0.0.11', '203.0.113.50', tcp(443), 'deny: web-1 outbound'],
    ['192.0.2.1', '192.0.2.11', tcp(22), 'allow: hv-1 inbound'],
    ['203.0.113.50', '192.0.2.11', tcp(22), 'deny: hv-1 inbound'],
    ['203.0.113.50', '203.0.113.51', tcp(22), 'allow: nothing'],
  ] as const)('%s → %s %o: %s', (source, destination, rest, expected) => {
    expect(verdict(source, destination, rest)).toBe(expected)
  })
})

describe('tests in policies', () => {
  const withTest = (line: string) => compileSmall(`${policies}tests:\n  - { name: t, ${line} }\n`)

  test.each([
    'from: 203.0.113.50, to: guest:web-1, port: tcp/80, expect: allow',
    'from: group:web, to: group:db, port: tcp/5432, expect: allow',
    'from: 203.0.113.9, to: group:web, port: tcp/80, expect: deny',
    'from: group:db, to: group:web, port: tcp/80, expect: deny',
  ])('hold: %s', (line) => {
    expect(codesOf(withTest(line))).toEqual([])
  })

  test('fail with the packet and the deciding rule', () => {
    const [problem] = withTest('from: 203.0.113.9, to: guest:web-1, port: tcp/80, expect: allow').problems
    expect(problem?.code).toBe('test-failed')
    expect(problem?.at.line).toBe(19)
    expect(problem?.message).toContain('"not him" of firewall "web" at policies/main.yaml:6:')
  })

  test('over a prefix hold only when they hold for every address in it', () => {
    const line = 'from: 203.0.113.0/24, to: guest:web-1, port: tcp/80, expect: allow'
    expect(withTest(line).problems[0]?.message).toContain('203.0.113.9 → 10.0.0.11')
    expect(codesOf(withTest(line.replace('203.0.113.0/24', '203.0.113.16/28')))).toEqual([])
  })

  test('that mean no packet at all are refused', () => {
    const [problem] = withTest('from: 203.0.113.9, to: 2001:db8::1, port: tcp/80, expect: deny').problems
    expect(problem?.code).toBe('test-without-packets')
  })
})
