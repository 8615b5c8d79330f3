import { describe, expect, test } from 'vitest'
import type { HostOutcome, Report } from '../../src/plan/outcome.ts'
import { formatText } from '../../src/report/text/report.ts'
import { changesOf, outcome, report, ruleIdsOf, ssh, web } from './reports.ts'

function text(value: Report): string {
  return formatText(value, { color: false, detail: 'brief', ruleIdsOf })
}

function lines(...of: string[]): string {
  return `${of.join('\n')}\n`
}

const set = Array.from({ length: 1000 }, (_, n) => `10.0.${n >> 8}.${n & 255}`)

describe('a plan', () => {
  test('shows which line of a chain comes and goes, and the rule it comes from', () => {
    const before = ['-p tcp --dport 80 -j ACCEPT gitwall:ba9876543210', '-j DROP', ''].join('\n')
    const after = [
      '-p tcp --dport 80 -j ACCEPT gitwall:ba9876543210',
      '-s 203.0.113.0/24 -p tcp --dport 22 -j ACCEPT gitwall:0123456789ab',
      '-j DROP',
      '',
    ].join('\n')
    const changes = changesOf(['iptables', [{ op: 'replace', key: '4 filter gw-tap101i0', before, after }]])
    expect(text(report([outcome('hv-1', { status: 'planned', changes })]))).toBe(
      lines(
        'hv-1: will change (+0 ~1 -0)',
        '  iptables',
        '    ~ 4 filter gw-tap101i0',
        '        # web / inbound / office ssh (policies/web.yaml:12:9)',
        '        + -s 203.0.113.0/24 -p tcp --dport 22 -j ACCEPT gitwall:0123456789ab',
        '',
        'plan of 4f2a91c3d0aa, 1 host, 0 added, 1 changed, 0 removed',
        '  1 will change: hv-1',
        'Next: "reconcile apply" makes these changes.',
      ),
    )
  })

  test('shows which members of a set come and go, and the rules that use it', () => {
    const after = [...set.slice(1), '192.0.2.1']
    const changes = changesOf([
      'ipset',
      [{ op: 'replace', key: 'gw-1', before: `${set.join('\n')}\n`, after: `${after.join('\n')}\n` }],
    ])
    const users = new Map([['ipset' as const, new Map([['gw-1', [web, ssh]]])]])
    expect(text(report([outcome('hv-1', { status: 'planned', changes, users })]))).toContain(
      lines(
        '    ~ gw-1',
        '        # used by web / inbound / public (policies/web.yaml:10:9), web / inbound / office ssh (policies/web.yaml:12:9)',
        '        - 10.0.0.0',
        '        + 192.0.2.1',
      ),
    )
  })

  test('puts each run of lines under its rule, and says where a rule ends', () => {
    const after = 'a gitwall:ba9876543210\nb gitwall:ba9876543210\nc\nd gitwall:ffffffffffff\n'
    const changes = changesOf(['iptables', [{ op: 'add', key: 'chain', after }]])
    expect(text(report([outcome('hv-1', { status: 'planned', changes })]))).toContain(
      lines(
        '    + chain',
        '        # web / inbound / public (policies/web.yaml:10:9)',
        '        + a gitwall:ba9876543210',
        '        + b gitwall:ba9876543210',
        '        # of no rule',
        '        + c',
        '        # rule ffffffffffff (not in this commit)',
        '        + d gitwall:ffffffffffff',
      ),
    )
  })

  test('that removes an object shows what it held', () => {
    const changes = changesOf(['ovs', [{ op: 'remove', key: 'br0 table=0', before: 'actions=drop' }]])
    expect(text(report([outcome('hv-1', { status: 'planned', changes })]))).toContain(
      lines('hv-1: will change (+0 ~0 -1)', '  ovs', '    - br0 table=0  actions=drop'),
    )
  })

  test('of few flows shows each under its rule, after those of no rule', () => {
    const changes = changesOf([
      'ovs',
      [
        { op: 'remove', key: 'a', before: 'x gitwall:ba9876543210' },
        { op: 'add', key: 'b', after: 'y' },
        { op: 'add', key: 'c', after: 'z gitwall:ba9876543210' },
      ],
    ])
    const shown = text(report([outcome('hv-1', { status: 'planned', changes })]))
    expect(shown).toContain(
      lines(
        '  ovs',
        '    + b  y',
        '    # web / inbound / public (policies/web.yaml:10:9)',
        '    - a  x gitwall:ba9876543210',
        '    + c  z gitwall:ba9876543210',
      ),
    )
    expect(shown).not.toContain('--verbose')
  })

  test('of much counts flows by rule, what else comes or goes by its parts, and names both families once', () => {
    const flows = Array.from({ length: 12 }, (_, n) => ({
      op: 'add' as const,
      key: `br0 table=${n}`,
      after: n < 8 ? 'x gitwall:ba9876543210' : 'x',
    }))
    const changes = changesOf(
      [
        'ipset',
        [
          { op: 'add', key: 'gw-4-1', after: 'header\n10.0.0.1\n10.0.0.2' },
          { op: 'add', key: 'gw-6-1', after: 'header\n2001:db8::1' },
          { op: 'remove', key: 'gw-6-2', before: 'header\n2001:db8::1' },
        ],
      ],
      [
        'iptables',
        [
          { op: 'add', key: '4 filter gw-a', after: 'r\nr\n' },
          { op: 'replace', key: '4 filter gw-b', before: 'old\n', after: 'old\nnew gitwall:ba9876543210\n' },
          { op: 'replace', key: '4 filter gw-c', before: 'old\n', after: 'old\nnew gitwall:ba9876543210\n' },
          { op: 'add', key: '6 filter gw-a', after: 'r\n' },
          { op: 'replace', key: '6 filter gw-b', before: 'old\n', after: 'old\nnew gitwall:ba9876543210\n' },
        ],
      ],
      ['ovs', [...flows, { op: 'remove', key: 'br0 table=9,ip', before: 'x gitwall:0123456789ab' }]],
    )
    const users = new Map([['ipset' as const, new Map([['gw-4-1', [web]]])]])
    const value = report([outcome('hv-1', { status: 'planned', changes, users })])
    expect(text(value)).toBe(
      lines(
        'hv-1: will change (+16 ~3 -2)',
        '  ipset',
        '    + gw-{4,6}-1  (2+1 members)  # web / inbound / public (policies/web.yaml:10:9)',
        '    - gw-6-2  (1 member)',
        '  iptables',
        '    + {4,6} filter gw-a  (2+1 rules)',
        '    ~ {4,6} filter gw-b',
        '    ~ 4 filter gw-c',
        '        # web / inbound / public (policies/web.yaml:10:9)',
        '        + new gitwall:ba9876543210',
        '  ovs',
        '    + 8 flows of web / inbound / public (policies/web.yaml:10:9)',
        '    + 4 flows of no rule',
        '    - 1 flow of web / inbound / office ssh (policies/web.yaml:12:9)',
        '',
        'plan of 4f2a91c3d0aa, 1 host, 16 added, 3 changed, 2 removed',
        '  1 will change: hv-1',
        'Next: "reconcile apply" makes these changes.',
        '--verbose shows every object and every line.',
      ),
    )
    const full = formatText(value, { color: false, detail: 'full', ruleIdsOf })
    for (const list of changes.values()) for (const { key } of list) expect(full).toContain(` ${key}\n`)
    expect(full).not.toContain('--verbose')
  })

  test('is cut where it is long, and says by how much', () => {
    const sets = Array.from({ length: 31 }, (_, n) => ({
      op: 'replace' as const,
      key: `gw-${n}`,
      before: '',
      after: [n, ...set].join('\n'),
    }))
    const value = report([outcome('hv-1', { status: 'planned', changes: changesOf(['ipset', sets]) })])
    expect(text(value)).toContain(
      lines('        + 10.0.0.18', '        … 981 more lines (--verbose shows all)', '    ~ gw-1'),
    )
    expect(text(value)).toContain('    … 1 more (--verbose shows all)\n')
    const full = formatText(value, { color: false, detail: 'full', ruleIdsOf })
    expect(full).not.toContain('…')
    expect(full.split('\n').filter((line) => line === '        + 10.0.3.231')).toHaveLength(31)
  })

  test('shows hosts that change alike once, but each with --verbose', () => {
    const changes = changesOf(['iptables', [{ op: 'replace', key: 'c', before: 'a\n', after: 'b\n' }]])
    const value = report(
      ['hv-1', 'hv-2', 'hv-3'].map((host) =>
        outcome(host, {
          status: 'confirmed',
          snapshot: `s-${host}`,
          changes,
          ...(host === 'hv-3' ? { warnings: ['w'] } : {}),
        }),
      ),
      { command: 'apply' },
    )
    expect(text(value)).toContain(
      lines(
        'hv-1, hv-2: changed and confirmed (+0 ~1 -0) each',
        '  snapshot of hv-1: s-hv-1',
        '  snapshot of hv-2: s-hv-2',
        '  iptables',
        '    ~ c',
        '        - a',
        '        + b',
        '',
        'hv-3: changed and confirmed (+0 ~1 -0)',
        '  snapshot: s-hv-3',
        '  warning: w',
      ),
    )
    const full = formatText(value, { color: false, detail: 'full', ruleIdsOf })
    expect(full).toContain('hv-2: changed and confirmed (+0 ~1 -0)\n')
  })

  test('of a fleet leaves out the hosts that are in sync, but counts them', () => {
    const quiet = Array.from({ length: 40 }, (_, n) => outcome(`hv-${n}`, {}))
    const loud = outcome('hv-loud', {
      absentPorts: ['tap9i0'],
      warnings: ['bridge br0 has fail_mode "standalone"'],
    })
    expect(text(report([...quiet, loud]))).toBe(
      lines(
        'hv-loud: in sync',
        '  warning: bridge br0 has fail_mode "standalone"',
        '  not there yet: tap9i0: their rules are written by the first run that finds them',
        '',
        'plan of 4f2a91c3d0aa, 41 hosts',
        '  41 in sync',
      ),
    )
  })
})

test('the last lines name the hosts that need a person, worst first', () => {
  const outcomes: HostOutcome[] = [
    outcome('a', { status: 'confirmed', snapshot: '20260101-1' }),
    outcome('b', { status: 'unreachable', reason: 'b: timeout: is it up?' }),
    outcome('c', { status: 'unknown', reason: 'c: connection lost\nlook at it' }),
    ...Array.from({ length: 10 }, (_, n) => outcome(`r${n}`, { status: 'rolled-back' as const })),
  ]
  const shown = text(report(outcomes, { command: 'apply' }))
  expect(shown).toContain(
    lines(
      'apply of 4f2a91c3d0aa, 13 hosts',
      '  1 UNKNOWN STATE: c',
      '  10 failed, rolled back: r0, r1, r2, r3, r4, r5, r6, r7, and 2 more',
      '  1 unreachable: b',
      '  1 changed and confirmed: a',
      'Next: a person is needed: "reconcile plan --host HOST" shows what a host holds now.',
    ),
  )
  expect(shown).toContain(lines('c: UNKNOWN STATE', '  c: connection lost', '  look at it'))
  expect(shown).toContain(lines('a: changed and confirmed', '  snapshot: 20260101-1'))
})

test('problems of the repository come first, as a compiler prints them', () => {
  const at = { file: 'policies/web.yaml', line: 12, column: 7 }
  const problems = [
    {
      code: 'unknown-key',
      severity: 'error' as const,
      at,
      message: 'unknown key "alow": did you mean "allow"?',
    },
  ]
  expect(text(report([], { problems }))).toBe(
    lines(
      'policies/web.yaml:12:7: error: unknown key "alow": did you mean "allow"? [unknown-key]',
      '',
      'No host was read.',
    ),
  )
})

test('colours only where they are asked for, and only ours', () => {
  const changes = changesOf(['ovs', [{ op: 'add', key: '\u001b[31mkey', after: 'x' }]])
  const value = report([outcome('hv-1', { status: 'planned', changes })])
  const colored = formatText(value, { color: true, detail: 'brief', ruleIdsOf })
  expect(colored).toContain('\u001b[32m+ \\u{1b}[31mkey  x\u001b[0m')
  expect(text(value)).not.toContain('\u001b')
})
