import type { Change, KindName } from '../../src/kernel/backend.ts'
import type { RuleId, RuleOrigin } from '../../src/model/model.ts'
import type { HostOutcome, Report } from '../../src/plan/outcome.ts'

export const ssh = '0123456789ab' as RuleId
export const web = 'ba9876543210' as RuleId

/** Ids as our kinds write them: a comment `gitwall:<id>`. */
export function ruleIdsOf(_: KindName, text: string): readonly RuleId[] {
  return [...text.matchAll(/gitwall:([0-9a-f]{12})/g)].map((match) => match[1] as RuleId)
}

export function origin(name: string, line: number): RuleOrigin {
  return {
    firewall: 'web',
    direction: 'inbound',
    name,
    source: { file: 'policies/web.yaml', line, column: 9 },
  }
}

export function outcome(host: string, fields: Partial<HostOutcome>): HostOutcome {
  return {
    host,
    status: 'in-sync',
    changes: new Map(),
    users: new Map(),
    warnings: [],
    absentPorts: [],
    ...fields,
  }
}

export function changesOf(
  ...lists: [KindName, readonly Change[]][]
): ReadonlyMap<KindName, readonly Change[]> {
  return new Map(lists)
}

export function report(outcomes: readonly HostOutcome[], fields: Partial<Report> = {}): Report {
  return {
    command: 'plan',
    commit: '4f2a91c3d0aa4f2a91c3d0aa4f2a91c3d0aa4f2a',
    outcomes,
    rules: new Map([
      [ssh, origin('office ssh', 12)],
      [web, origin('public', 10)],
    ]),
    problems: [],
    ...fields,
  }
}
