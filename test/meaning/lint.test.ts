import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { coverageOf, coveragePercent } from '../../src/meaning/coverage.ts'
import { difference } from '../../src/meaning/difference.ts'
import { lintRulesets } from '../../src/meaning/lint-rulesets.ts'
import { lint } from '../../src/meaning/lint.ts'
import { hasErrors } from '../../src/compile.ts'
import type { Ruleset } from '../../src/model/model.ts'
import { compileSmall, smallInventory } from '../fixtures.ts'
import { modelOf, ruleset } from './models.ts'

/** `line:column code` of every warning of lint. */
function warnings(policies: string, inventory = smallInventory): readonly string[] {
  const { repo, model, problems } = compileSmall(policies, inventory)
  if (hasErrors(problems)) throw new Error(JSON.stringify(problems))
  return lint(repo, model).map(({ at, code, severity }) => `${at.line}:${at.column} ${severity} ${code}`)
}

/** A firewall of `web` with these inbound rules, the first of which stands in line 6. */
function inbound(...rules: readonly string[]): readonly string[] {
  const lines = rules.map((rule) => `      - { ${rule} }\n`).join('')
  return warnings(`sets: { office: [203.0.113.0/24], none: { include: [203.0.113.0/24], exclude: [203.0.0.0/16] } }
firewalls:
  web:
    protects: web
    inbound:
${lines}`)
}

describe('lint says nothing of', () => {
  test.each<[string, readonly string[]]>([
    [
      'two rules that do not meet',
      ['name: a, allow: http, from: any', 'name: b, allow: ssh, from: set:office'],
    ],
    [
      'an exception before the rule',
      ['name: a, deny: http, from: 203.0.113.9', 'name: b, allow: http, from: any'],
    ],
    [
      'a rule that is partly decided before',
      ['name: a, deny: http, from: set:office', 'name: b, allow: [http, https], from: set:office'],
    ],
    ['the final deny written out', ['name: a, allow: http, from: any', 'name: b, deny: any, from: any']],
    ['a reject, which is not the default', ['name: a, reject: http, from: any']],
    [
      'ssh from a group or a set',
      ['name: a, allow: ssh, from: set:office', 'name: b, allow: [ssh, rdp], from: group:db'],
    ],
    [
      'ssh that an earlier rule denies the world',
      [
        'name: a, allow: ssh, from: set:office',
        'name: b, deny: tcp/22, from: any',
        'name: c, allow: tcp/20-22, from: any',
      ],
    ],
    ['DHCP, whose ports are few on both sides', ['name: a, allow: dhcp, from: any']],
  ])('%s', (_, rules) => {
    expect(inbound(...rules)).toEqual([])
  })
})

describe('lint warns of', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    [
      'a rule behind a wider one',
      ['name: a, allow: any, from: set:office', 'name: b, deny: ssh, from: 203.0.113.9'],
      ['7:9 warning shadowed-rule'],
    ],
    [
      'a rule that several earlier ones cover together',
      [
        'name: a, allow: tcp/1-50, from: set:office',
        'name: b, deny: tcp/51-99, from: any',
        'name: c, allow: tcp/40-60, from: 203.0.113.0/25',
      ],
      ['8:9 warning shadowed-rule'],
    ],
    [
      'a rule said twice, and only the second',
      ['name: a, allow: http, from: set:office', 'name: b, allow: http, from: set:office'],
      ['7:9 warning shadowed-rule'],
    ],
    [
      'a rule that a later one covers',
      ['name: a, allow: http, from: 203.0.113.9', 'name: b, allow: [http, https], from: any'],
      ['6:9 warning redundant-rule'],
    ],
    [
      'a deny where nothing allows',
      ['name: a, deny: http, from: 203.0.113.9', 'name: b, allow: https, from: any'],
      ['6:9 warning redundant-rule'],
    ],
    ['everything from anybody', ['name: a, allow: any, from: any'], ['6:9 warning open-to-all']],
    ['ssh from the world', ['name: a, allow: ssh, from: any'], ['6:9 warning management-port-open']],
    [
      'ssh from half of the world, in two halves of it',
      ['name: a, allow: ssh, from: [0.0.0.0/2, 128.0.0.0/2]'],
      ['6:9 warning management-port-open'],
    ],
    [
      'ssh from all of IPv6 that is in use',
      ['name: a, allow: ssh, from: "2000::/3"'],
      ['6:9 warning management-port-open'],
    ],
    [
      'a range that holds a management port',
      ['name: a, allow: tcp/5000-6000, from: any'],
      ['6:9 warning management-port-open'],
    ],
    [
      'a source port that stands alone',
      ['name: a, allow: udp/0-65535@53, from: any'],
      ['6:9 warning source-port-rule'],
    ],
    ['peers that nobody is in', ['name: a, allow: http, from: set:none'], ['6:9 warning matches-nobody']],
    [
      'services of the other family',
      ['name: a, allow: icmp6, from: set:office'],
      ['6:9 warning matches-no-packet'],
    ],
    [
      'a rule that is switched off',
      ['name: a, allow: http, from: any, enabled: false'],
      ['6:9 warning rule-disabled'],
    ],
  ])('%s', (_, rules, expected) => {
    expect(inbound(...rules)).toEqual(expected)
  })

  test('a rule only when it is superfluous at every guest', () => {
    const policy = (protects: string) => `firewalls:
  all:
    protects: "${protects}"
    order: 200
    inbound:
      - { name: a, allow: http, from: any }
  web:
    protects: web
    inbound:
      - { name: b, allow: [http, https], from: any }
`
    expect(warnings(policy('web:db'))).toEqual([])
    expect(warnings(policy('web'))).toEqual(['6:9 warning shadowed-rule'])
  })

  test('sets with equal members, at the second', () => {
    const sets = `sets:
  a: [10.1.0.0/16]
  b: { include: [10.1.0.0-10.1.255.255, 10.2.0.0/16], exclude: [10.2.0.0/16] }
firewalls: { web: { protects: web, inbound: [] } }
`
    expect(warnings(sets)).toEqual(['3:3 warning equal-sets'])
  })

  test('ssh from the world to hypervisors, and not of their management floor', () => {
    const policy = (from: string) => `firewalls:
  hosts:
    protects: hypervisors
    inbound:
      - { name: ssh, allow: ssh, from: ${from} }
`
    expect(warnings(policy('192.0.2.0/24'))).toEqual([])
    expect(warnings(policy('any'))).toEqual(['5:9 warning management-port-open'])
  })

  test('with the name and place of what stands before', () => {
    const { repo, model } = compileSmall(`firewalls:
  web:
    protects: web
    inbound:
      - { name: wide, allow: any, from: 10.0.0.0/8 }
      - { name: narrow, deny: ssh, from: 10.1.0.0/16 }
`)
    expect(lint(repo, model).map(({ message }) => message)).toEqual([
      'rule "narrow" of firewall "web" never decides: all that it matches is decided before it by rule "wide" of firewall "web" (policies/main.yaml:5:9): move it up, or remove it',
    ])
  })
})

describe('coverage', () => {
  const policies = `firewalls:
  web:
    protects: web
    inbound:
      - { name: web, allow: http, from: any }
      - { name: never tried, allow: https, from: any }
    outbound:
      - { name: sql, allow: tcp/5432, to: group:db }
  db:
    protects: db
    inbound:
      - { name: not him, deny: tcp/5432, from: guest:web-2 }
      - { name: sql, allow: tcp/5432, from: group:web }
tests:
  - { name: a, from: 203.0.113.9, to: guest:web-1, port: http, expect: allow }
  - { name: b, from: guest:web-1, to: guest:db-1, port: tcp/5432, expect: allow }
`
  test('counts the rules that decided about a test packet, out and in', () => {
    const { model, exercised } = compileSmall(policies)
    const coverage = coverageOf(model, exercised)
    expect(coverage.missing.map(({ origin }) => `${origin.source.line} ${origin.name}`)).toEqual([
      '6 never tried',
      '12 not him',
    ])
    expect([coverage.exercised, coverage.rules, coveragePercent(coverage)]).toEqual([3, 5, 60])
  })

  test('reaches the rule that only one address of a group meets', () => {
    const more = `${policies}  - { name: c, from: group:web, to: 10.0.0.21, port: udp/5432, expect: deny }\n`
    const all = more.replace(
      'from: guest:web-1, to: guest:db-1, port: tcp/5432, expect: allow',
      'from: guest:web-2, to: guest:db-1, port: tcp/5432, expect: deny',
    )
    const { model, exercised, problems } = compileSmall(all)
    expect(problems).toEqual([])
    expect(coverageOf(model, exercised).missing.map(({ origin }) => origin.source.line)).toEqual([6, 13])
  })
})

test('whoever removes what is called superfluous, one rule or all of them, changes nothing', () => {
  let removed = 0
  fc.assert(
    fc.property(ruleset, ruleset, (inbound, outbound) => {
      const origins = (direction: 'inbound' | 'outbound', rules: Ruleset['rules']) =>
        rules.map(
          ({ id }) =>
            [
              id,
              {
                firewall: direction,
                direction,
                name: id,
                source: { file: direction, line: Number(id.slice(-1)) + 1, column: 1 },
              },
            ] as const,
        )
      const named = {
        ...outbound,
        rules: outbound.rules.map((rule) => ({ ...rule, id: `out-${rule.id}` as typeof rule.id })),
      }
      const model = modelOf({ guest: { inbound, outbound: named } })
      const rules = new Map([...origins('inbound', inbound.rules), ...origins('outbound', named.rules)])
      const superfluous = lintRulesets({ ...model, rules })
        .filter(({ code }) =>
          ['shadowed-rule', 'redundant-rule', 'matches-nobody', 'matches-no-packet'].includes(code),
        )
        .map(({ at }) => `${at.file} ${at.line - 1}`)
      const left = (gone: readonly string[]) => {
        const keep = (direction: string, one: Ruleset) => ({
          ...one,
          rules: one.rules.filter((_, index) => !gone.includes(`${direction} ${index}`)),
        })
        return modelOf({ guest: { inbound: keep('inbound', inbound), outbound: keep('outbound', named) } })
      }
      removed += superfluous.length
      for (const gone of [superfluous, ...superfluous.map((one) => [one])])
        expect(difference(model, left(gone))).toEqual([])
    }),
    { numRuns: 300 },
  )
  expect(removed).toBeGreaterThan(100)
})

test('a test of a group with itself tries two of its guests, also where all are alike', () => {
  const { problems } = compileSmall(`firewalls:
  web:
    protects: web
    inbound:
      - { name: http, allow: http, from: group:web }
    outbound:
      - { name: to http, allow: http, to: group:web }
tests:
  - { name: t, from: group:web, to: group:web, port: http, expect: allow }
`)
  expect(problems).toEqual([])
})
