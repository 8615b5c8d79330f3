import type { KindName } from '../../kernel/backend.ts'
import type { HostOutcome, HostStatus, Report } from '../../plan/outcome.ts'
import { type RuleIdsOf, usersOf } from '../attribution.ts'
import { type ChangeCounts, countChanges, countStatuses } from '../counts.ts'
import { plain } from '../escape.ts'
import { formatBriefly, isCounted } from './brief.ts'
import { type ChangeStyle, formatChange } from './change.ts'
import { type Color, type Paint, painter } from './paint.ts'
import { formatProblems } from './problems.ts'

export interface TextOptions {
  readonly color: boolean
  /**
   * `brief` counts what comes or goes as a whole where it is much, cuts long lists, saying by how much, shows hosts that are
   * alike once, and leaves out those in sync.
   */
  readonly detail: 'brief' | 'full'
  readonly ruleIdsOf: RuleIdsOf
}

const briefLines = 20
const briefLineLength = 400
/** Names shown of the hosts of one status in the last lines. */
const briefHosts = 8

const statusWords: Readonly<Record<HostStatus, { readonly text: string; readonly color: Color }>> = {
  'in-sync': { text: 'in sync', color: 'green' },
  planned: { text: 'will change', color: 'yellow' },
  drifted: { text: 'drifted', color: 'yellow' },
  confirmed: { text: 'changed and confirmed', color: 'green' },
  'rolled-back': { text: 'failed, rolled back', color: 'red' },
  refused: { text: 'refused, nothing was written', color: 'red' },
  unreachable: { text: 'unreachable', color: 'red' },
  unknown: { text: 'UNKNOWN STATE', color: 'red' },
  unprotected: { text: 'UNPROTECTED', color: 'red' },
  unmanaged: { text: 'nothing was ever confirmed here', color: 'yellow' },
}

/** The report for people: problems, then each host with what differs and the rule it comes from, then counts and what to do next. */
export function formatText(report: Report, options: TextOptions): string {
  const paint = painter(options.color)
  const style = changeStyle(report, options, paint)
  const shown = report.outcomes.filter((outcome) => options.detail === 'full' || isWorthShowing(outcome))
  const blocks = [
    formatProblems(report.problems, paint),
    ...formatHosts(shown, style, options),
    [...formatSummary(report, paint), ...nextSteps(report), ...howToSeeAll(shown, options)],
  ]
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`
}

function changeStyle(report: Report, { detail, ruleIdsOf }: TextOptions, paint: Paint): ChangeStyle {
  const isBrief = detail === 'brief'
  return {
    paint,
    ruleIdsOf,
    rules: report.rules,
    maxLines: isBrief ? briefLines : Infinity,
    maxLineLength: isBrief ? briefLineLength : Infinity,
  }
}

function isWorthShowing(outcome: HostOutcome): boolean {
  return outcome.status !== 'in-sync' || outcome.warnings.length > 0 || outcome.absentPorts.length > 0
}

function formatHosts(
  outcomes: readonly HostOutcome[],
  style: ChangeStyle,
  options: TextOptions,
): readonly (readonly string[])[] {
  const alike = new Map<string, { readonly outcomes: HostOutcome[]; readonly body: readonly string[] }>()
  for (const outcome of outcomes) {
    const body = formatBody(outcome, style, options)
    const counts = countChanges([outcome])
    const key = options.detail === 'full' ? outcome.host : JSON.stringify([outcome.status, counts, body])
    const same = alike.get(key)
    if (same === undefined) alike.set(key, { outcomes: [outcome], body })
    else same.outcomes.push(outcome)
  }
  return [...alike.values()].map((same) => [...formatHeading(same.outcomes, style.paint), ...same.body])
}

/** What only these hosts have: their names, and their snapshots. */
function formatHeading(outcomes: readonly HostOutcome[], paint: Paint): readonly string[] {
  const [first] = outcomes
  if (first === undefined) return []
  const { text, color } = statusWords[first.status]
  const counts = first.changes.size === 0 ? '' : ` (${briefCounts(countChanges([first]))})`
  const each = outcomes.length > 1 && counts !== '' ? ' each' : ''
  const names = paint('bold', outcomes.map(({ host }) => plain(host)).join(', '))
  return [
    `${names}: ${paint(color, text)}${counts}${each}`,
    ...outcomes.flatMap(({ host, snapshot }) => {
      if (snapshot === undefined) return []
      return [`  snapshot${outcomes.length > 1 ? ` of ${plain(host)}` : ''}: ${plain(snapshot)}`]
    }),
  ]
}

function formatBody(outcome: HostOutcome, style: ChangeStyle, options: TextOptions): readonly string[] {
  const { paint } = style
  return [
    ...(outcome.reason === undefined
      ? []
      : outcome.reason.split('\n').map((line) => `  ${paint('red', plain(line))}`)),
    ...outcome.warnings.map((warning) => `  ${paint('yellow', 'warning:')} ${plain(warning)}`),
    ...formatAbsent(outcome.absentPorts),
    ...[...outcome.changes.keys()].flatMap((kind) => formatKind(outcome, kind, style, options)),
  ]
}

function formatAbsent(ports: readonly string[]): readonly string[] {
  if (ports.length === 0) return []
  const some = ports.slice(0, briefHosts).map(plain).join(', ')
  const more = ports.length > briefHosts ? `, and ${ports.length - briefHosts} more` : ''
  return [`  not there yet: ${some}${more}: their rules are written by the first run that finds them`]
}

function formatKind(
  outcome: HostOutcome,
  kind: KindName,
  style: ChangeStyle,
  { detail }: TextOptions,
): readonly string[] {
  const changes = outcome.changes.get(kind) ?? []
  const lines =
    detail === 'brief'
      ? formatBriefly(outcome, kind, style)
      : changes.flatMap((change) => formatChange(kind, change, usersOf(outcome, kind, change.key), style))
  return [`  ${kind}`, ...lines.map((line) => `    ${line}`)]
}

function briefCounts({ add, replace, remove }: ChangeCounts): string {
  return `+${add} ~${replace} -${remove}`
}

function formatSummary(report: Report, paint: Paint): readonly string[] {
  if (report.outcomes.length === 0) return ['No host was read.']
  const { add, replace, remove } = countChanges(report.outcomes)
  const objects = add + replace + remove === 0 ? [] : [`${add} added, ${replace} changed, ${remove} removed`]
  const lines = [...countStatuses(report.outcomes)].map(([status, count]) => {
    const { text, color } = statusWords[status]
    const names = status === 'in-sync' ? '' : `: ${someHosts(report.outcomes, status)}`
    return `  ${paint(color, `${count} ${text}`)}${names}`
  })
  const hosts = `${report.outcomes.length} ${report.outcomes.length === 1 ? 'host' : 'hosts'}`
  const title = [`${report.command} of ${plain(report.commit.slice(0, 12))}`, hosts, ...objects].join(', ')
  return [paint('bold', title), ...lines]
}

function someHosts(outcomes: readonly HostOutcome[], status: HostStatus): string {
  const names = outcomes.filter((outcome) => outcome.status === status).map(({ host }) => plain(host))
  const more = names.length > briefHosts ? [`and ${names.length - briefHosts} more`] : []
  return [...names.slice(0, briefHosts), ...more].join(', ')
}

function nextSteps(report: Report): readonly string[] {
  const has = (status: HostStatus) => report.outcomes.some((outcome) => outcome.status === status)
  return [
    ...(has('unknown')
      ? ['Next: a person is needed: "reconcile plan --host HOST" shows what a host holds now.']
      : []),
    ...(has('planned') && report.command === 'plan' ? ['Next: "reconcile apply" makes these changes.'] : []),
    ...(has('drifted') ? ['Next: "reconcile plan" shows what an apply would put back.'] : []),
    ...(has('unmanaged') ? ['Next: "reconcile apply" confirms a first state where there is none.'] : []),
  ]
}

function howToSeeAll(shown: readonly HostOutcome[], { detail }: TextOptions): readonly string[] {
  const isShort = shown.some((outcome) =>
    [...outcome.changes.keys()].some((kind) => isCounted(outcome, kind)),
  )
  return detail === 'brief' && isShort ? ['--verbose shows every object and every line.'] : []
}
