import { describe, expect, test } from 'vitest'
import { zoneOfNetwork } from '../../src/model/zone.ts'
import { codesOf, compileSmall, hostOf, nicOf, smallInventory } from '../fixtures.ts'

const two = (order: string, verdicts: readonly [string, string]) => `
firewalls:
  a:
    protects: web
    inbound:
      - { name: one, ${verdicts[0]}: tcp/80-90, from: 10.0.0.0/24 }
  b:
    protects: web
    ${order}
    inbound:
      - { name: two, ${verdicts[1]}: tcp/85, from: 10.0.0.21 }
`

describe('resolving a repository', () => {
  test('names a group as a source by the addresses of its members, aggregated and shared', () => {
    const compiled = compileSmall(`
firewalls:
  db:
    protects: db
    inbound:
      - { name: sql, allow: tcp/5432, from: group:web }
`)
    expect(codesOf(compiled)).toEqual([])
    const [rule] = nicOf(compiled, 'db-1').inbound.rules
    expect(rule?.peer).toEqual({
      name: 'group:web',
      prefixes: ['10.0.0.11/32', '10.0.0.12/32', '2001:db8:0:10::11/128', '2001:db8:0:10::12/128'],
    })
    expect(hostOf(compiled, 'hv-1').lists.map((list) => list.name)).toEqual(['group:web'])
    expect(hostOf(compiled, 'hv-2').lists).toEqual([])
  })

  test('takes the exclusions out of a set, and mixes peers into a list of the rule', () => {
    const compiled = compileSmall(`
sets:
  partners: { include: [198.51.100.0/30], exclude: [198.51.100.2] }
firewalls:
  db:
    protects: db
    inbound:
      - { name: sql, allow: tcp/5432, from: [set:partners, 192.0.2.7] }
`)
    const [rule] = nicOf(compiled, 'db-1').inbound.rules
    expect(rule?.peer).toMatchObject({ prefixes: ['192.0.2.7/32', '198.51.100.0/31', '198.51.100.3/32'] })
  })

  test('filters a protected guest both ways and an unprotected one not at all', () => {
    const compiled = compileSmall('firewalls: { db: { protects: db, inbound: [] } }')
    expect(nicOf(compiled, 'db-1').outbound).toEqual({ kind: 'filtered', rules: [] })
    expect(nicOf(compiled, 'web-1').inbound).toEqual({ kind: 'unfiltered', rules: [] })
  })

  test('filters a hypervisor only in the directions that a firewall mentions', () => {
    const own = hostOf(compileSmall('firewalls: { hv: { protects: hypervisors, inbound: [] } }'), 'hv-1').own
    expect([own.inbound.kind, own.outbound.kind]).toEqual(['filtered', 'unfiltered'])
  })

  test('orders firewalls by their number, then rules by their place', () => {
    const compiled = compileSmall(`
firewalls:
  late:  { protects: web, order: 200, inbound: [{ name: x, deny: ssh, from: any }] }
  early: { protects: web, order: 50, inbound: [{ name: y, allow: ssh, from: any }, { name: z, deny: https, from: any }] }
`)
    const names = nicOf(compiled, 'web-1').inbound.rules.map(
      (rule) => compiled.model.rules.get(rule.id)?.name,
    )
    expect(names).toEqual(['y', 'z', 'x'])
  })

  test('refuses firewalls of one order that disagree, with a packet both match', () => {
    const compiled = compileSmall(two('', ['allow', 'deny']))
    expect(codesOf(compiled)).toEqual(['policies/main.yaml:11:9 order-conflict'])
    expect(compiled.problems[0]?.message).toContain('10.0.0.21, tcp/85')
    expect(codesOf(compileSmall(two('order: 90', ['allow', 'deny'])))).toEqual([])
    expect(codesOf(compileSmall(two('', ['allow', 'allow'])))).toEqual([])
  })

  test('gives a rule an id that survives an edit and a move, but not a new name', () => {
    const idsOf = (policies: string) =>
      nicOf(compileSmall(policies), 'web-1').inbound.rules.map((rule) => rule.id)
    const [before] = idsOf(
      'firewalls: { a: { protects: web, inbound: [{ name: n, allow: ssh, from: any }] } }',
    )
    const moved = idsOf(
      'firewalls: { a: { protects: web, inbound: [{ name: o, allow: ssh, from: any }, { name: n, allow: https, from: 10.0.0.1 }] } }',
    )
    expect(before).toMatch(/^[0-9a-f]{12}$/)
    expect(moved[1]).toBe(before)
    expect(moved[0]).not.toBe(before)
  })

  test('leaves a disabled rule out', () => {
    const compiled = compileSmall(
      'firewalls: { a: { protects: web, inbound: [{ name: n, allow: ssh, from: any, enabled: false }] } }',
    )
    expect(nicOf(compiled, 'web-1').inbound.rules).toEqual([])
  })

  test('lets a guest use its own MAC with its addresses and its link-local one', () => {
    expect(nicOf(compileSmall(''), 'web-1').sources).toEqual([
      { mac: '52:54:00:00:01:01', prefix: '10.0.0.11/32' },
      { mac: '52:54:00:00:01:01', prefix: '2001:db8:0:10::11/128' },
      { mac: '52:54:00:00:01:01', prefix: 'fe80::5054:ff:fe00:101/128' },
    ])
  })

  test.each([
    ['a bridge that its host lacks', ['bridge: vmbr0', 'bridge: br9'], 'unknown-bridge'],
    [
      'a network that nobody declares',
      ['network: shop, mac: "52:54:00:00:01:02"', 'network: shoe, mac: "52:54:00:00:01:02"'],
      'unknown-network',
    ],
    ['a MAC of two NICs', ['52:54:00:00:02:01', '52:54:00:00:01:01'], 'duplicate-identity'],
    ['an address of two NICs', ['10.0.0.21', '10.0.0.11'], 'duplicate-identity'],
    ['a port of two NICs on one host', ['tap201i0', 'tap101i0'], 'duplicate-identity'],
  ])('refuses %s', (_, [from, to], code) => {
    const compiled = compileSmall('', smallInventory.replace(from ?? '', to ?? ''))
    expect(compiled.problems.map((problem) => problem.code)).toContain(code)
  })

  test('refuses two networks in one conntrack zone', () => {
    const networks = `gitwall_networks: { a: { subnets: [10.1.0.0/24], zone: ${zoneOfNetwork('shop')} }, `
    const compiled = compileSmall('sets: {}', smallInventory.replace('gitwall_networks: { ', networks))
    expect(compiled.problems.map((problem) => problem.code)).toEqual(['zone-collision'])
  })
})
