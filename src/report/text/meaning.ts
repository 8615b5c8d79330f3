import type { DirectedTraffic, MeaningChange } from '../../meaning/difference.ts'
import { type Namer, namer } from '../../meaning/names.ts'
import { formatServices } from '../../meaning/service-names.ts'
import type { RuleId } from '../../model/model.ts'
import { formatSource } from '../../repo/problem.ts'
import { plain } from '../escape.ts'
import type { MeaningReport } from '../meaning.ts'
import type { Paint } from './paint.ts'

interface Style {
  readonly paint: Paint
  /** `full` shows every change, every rule and every host. */
  readonly detail: 'brief' | 'full'
}

const shownChanges = 30
const shownRules = 3
const shownHosts = 10

const headings = [
  { title: 'newly allowed', sign: '+', color: 'red', kinds: ['opened', 'granted', 'came'] },
  { title: 'newly denied', sign: '-', color: 'green', kinds: ['closed', 'revoked', 'went'] },
] as const

/** The difference of two commits for people: who may newly talk to whom, who no longer may, then the objects. With a final newline. */
export function formatMeaning(report: MeaningReport, style: Style): string {
  const context = { ...style, report, names: namer(report.names) }
  const sections = headings.flatMap((heading) => formatSection(heading, context))
  const none = report.changes.length === 0 ? ['no packet changes its verdict'] : []
  return `${[formatHead(report, style), ...none, ...sections, ...formatObjects(report, style)].join('\n')}\n`
}

interface Context extends Style {
  readonly report: MeaningReport
  readonly names: Namer
}

function formatHead({ base, commit }: MeaningReport, { paint }: Style): string {
  return paint('bold', plain(`${base.slice(0, 12)} → ${commit.slice(0, 12)}`))
}

function formatSection(heading: (typeof headings)[number], context: Context): readonly string[] {
  const kinds: readonly string[] = heading.kinds
  const changes = context.report.changes.filter((change) => kinds.includes(change.kind))
  if (changes.length === 0) return []
  const shown = context.detail === 'full' ? changes : changes.slice(0, shownChanges)
  const more =
    changes.length > shown.length
      ? [`  … ${changes.length - shown.length} more, smaller ones: add --verbose`]
      : []
  return [
    '',
    context.paint('bold', heading.title),
    ...shown.flatMap((change) => {
      const [first = '', ...rest] = formatChange(change, context)
      return [context.paint(heading.color, plain(`${heading.sign} ${first}`)), ...rest]
    }),
    ...more,
  ]
}

/** The line that says it, unescaped and without colour; then harmless lines that explain it. */
function formatChange(change: MeaningChange, context: Context): readonly string[] {
  const where = context.names.places(change.places)
  switch (change.kind) {
    case 'opened':
    case 'closed':
      return [
        formatTraffic(change.traffic, where, context.names),
        ...formatRules(change.traffic.rules, context),
      ]
    case 'granted':
    case 'revoked':
      return [`${where} may ${change.kind === 'granted' ? '' : 'no longer '}${change.privilege.text}`]
    case 'came':
    case 'went': {
      const may = change.privileges.map((privilege) => `may ${privilege.text}`)
      const traffic = change.traffic.map((one) => formatTraffic(one, where, context.names))
      const verb = change.kind === 'came' ? 'new here' : 'gone'
      const lines = [...traffic, ...may]
      return [
        `${where}: ${verb}, with${lines.length === 0 ? ' nothing allowed' : ''}`,
        ...lines.map((line) => plain(`    ${line}`)),
      ]
    }
  }
}

function formatTraffic(traffic: DirectedTraffic, where: string, names: Namer): string {
  const peers = names.peers(traffic.peers)
  const [from, to] = traffic.direction === 'inbound' ? [peers, where] : [where, peers]
  return `${from} → ${to}  ${formatServices(traffic.services)}  (${traffic.direction})`
}

function formatRules(ids: readonly RuleId[], { report, paint, detail }: Context): readonly string[] {
  const shown = detail === 'full' ? ids : ids.slice(0, shownRules)
  const lines = shown.flatMap((id) => {
    const origin = report.rules.get(id)
    return origin === undefined
      ? []
      : [`"${origin.name}" of firewall "${origin.firewall}" at ${formatSource(origin.source)}`]
  })
  const more = ids.length > shown.length ? [`and ${ids.length - shown.length} more rules`] : []
  return [...lines, ...more].map((line) => `    ${paint('dim', plain(`# ${line}`))}`)
}

function formatObjects({ objects }: MeaningReport, { paint, detail }: Style): readonly string[] {
  if (objects.length === 0) return ['', 'no object differs on any host']
  const total = objects.reduce((sum, host) => sum + sumOf(host.objects), 0)
  const shown = detail === 'full' ? objects : objects.slice(0, shownHosts)
  const lines = shown.map((host) => {
    const kinds = [...host.objects].map(([kind, count]) => `${kind} ${count}`).join(', ')
    return plain(`  ${host.host}: ${kinds}`)
  })
  const more =
    objects.length > shown.length ? [`  … ${objects.length - shown.length} more hosts: add --verbose`] : []
  const head = `${total} object${total === 1 ? '' : 's'} on ${objects.length} host${objects.length === 1 ? '' : 's'}`
  return ['', paint('bold', `objects that differ: ${head}`), ...lines, ...more]
}

function sumOf(objects: ReadonlyMap<string, number>): number {
  return [...objects.values()].reduce((sum, count) => sum + count, 0)
}
