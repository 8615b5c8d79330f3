import type { Change, KindName } from '../../kernel/backend.ts'
import type { RuleId } from '../../model/model.ts'
import type { HostOutcome, Report } from '../../plan/outcome.ts'
import { type RuleIdsOf, usersOf } from '../attribution.ts'
import { countChanges, countStatuses } from '../counts.ts'
import { plainJson } from '../escape.ts'

/** Raised when a field goes or changes its meaning; a new field does not raise it. */
const version = 1

/**
 * The report as JSON by `schemas/report.schema.json`, with a final newline. Texts are complete; characters that are harmful on a
 * terminal are JSON escapes. Same report, same bytes.
 */
export function formatJson(report: Report, { ruleIdsOf }: { readonly ruleIdsOf: RuleIdsOf }): string {
  return `${plainJson({
    version,
    command: report.command,
    commit: report.commit,
    counts: {
      hosts: Object.fromEntries(countStatuses(report.outcomes)),
      objects: countChanges(report.outcomes),
    },
    problems: report.problems,
    hosts: report.outcomes.map((outcome) => hostObject(outcome, ruleIdsOf)),
    rules: Object.fromEntries(report.rules),
  })}\n`
}

function hostObject(outcome: HostOutcome, ruleIdsOf: RuleIdsOf): object {
  return {
    host: outcome.host,
    status: outcome.status,
    reason: outcome.reason,
    snapshot: outcome.snapshot,
    warnings: outcome.warnings,
    absentPorts: outcome.absentPorts,
    changes: [...outcome.changes].flatMap(([kind, changes]) =>
      changes.map((change) => ({ kind, ...change, rules: rulesOf(outcome, kind, change, ruleIdsOf) })),
    ),
  }
}

function rulesOf(
  outcome: HostOutcome,
  kind: KindName,
  change: Change,
  ruleIdsOf: RuleIdsOf,
): readonly RuleId[] {
  const texts = [...('before' in change ? [change.before] : []), ...('after' in change ? [change.after] : [])]
  return [
    ...new Set([...texts.flatMap((text) => ruleIdsOf(kind, text)), ...usersOf(outcome, kind, change.key)]),
  ]
}
