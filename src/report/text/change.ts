import type { Change, KindName } from '../../kernel/backend.ts'
import type { RuleId, RuleOrigin } from '../../model/model.ts'
import { formatSource } from '../../repo/problem.ts'
import type { RuleIdsOf } from '../attribution.ts'
import { plain } from '../escape.ts'
import { diffLines, type LineChange } from '../line-diff.ts'
import type { Paint } from './paint.ts'

/** What the lines of a change are made with. */
export interface ChangeStyle {
  readonly paint: Paint
  readonly ruleIdsOf: RuleIdsOf
  readonly rules: ReadonlyMap<RuleId, RuleOrigin>
  /** Lines shown of one object; `Infinity` for all. */
  readonly maxLines: number
  /** Characters shown of one line. */
  readonly maxLineLength: number
}

const signs = {
  add: { sign: '+', color: 'green' },
  remove: { sign: '-', color: 'red' },
  replace: { sign: '~', color: 'yellow' },
} as const

/** One object that differs: its key, the rules it serves, then the lines that come and go, each run under the rule it comes from. */
export function formatChange(
  kind: KindName,
  change: Change,
  users: readonly RuleId[],
  style: ChangeStyle,
): readonly string[] {
  const used = users.length === 0 ? [] : [comment(`used by ${nameRules(users, style.rules)}`, style)]
  return [formatSigned(change.op, change.key, style), ...used, ...formatLines(kind, linesOf(change), style)]
}

/** `+`, `-` or `~` and what it is said of. */
export function formatSigned(op: Change['op'], text: string, style: ChangeStyle): string {
  const { sign, color } = signs[op]
  return style.paint(color, `${sign} ${cut(text, style)}`)
}

/** `# text`, for what is said about the lines below. The text must be harmless. */
export function formatRemark(text: string, { paint }: ChangeStyle): string {
  return paint('dim', `# ${text}`)
}

/** The lines that come and go. */
export function linesOf(change: Change): readonly LineChange[] {
  if (change.op === 'replace') return diffLines(split(change.before), split(change.after))
  const { op } = change
  return split(change.op === 'add' ? change.after : change.before).map((line) => ({ op, line }))
}

function split(text: string): readonly string[] {
  const lines = text.split('\n')
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines
}

function formatLines(kind: KindName, lines: readonly LineChange[], style: ChangeStyle): readonly string[] {
  let rule = ''
  const shown = lines.slice(0, style.maxLines).flatMap(({ op, line }) => {
    const before = rule
    rule = nameRules(style.ruleIdsOf(kind, line), style.rules)
    const heading = rule === before ? [] : [comment(rule === '' ? 'of no rule' : rule, style)]
    return [...heading, `    ${formatSigned(op, line, style)}`]
  })
  const left = lines.length - Math.min(lines.length, style.maxLines)
  return left === 0
    ? shown
    : [...shown, `    … ${left} more ${left === 1 ? 'line' : 'lines'} (--verbose shows all)`]
}

function comment(text: string, style: ChangeStyle): string {
  return `    ${formatRemark(text, style)}`
}

/** `web / inbound / office ssh (policies/web.yaml:12:9)`, several separated by commas; empty for none. */
export function nameRules(ids: readonly RuleId[], rules: ReadonlyMap<RuleId, RuleOrigin>): string {
  const names = ids.slice(0, 3).map((id) => nameRule(id, rules.get(id)))
  return [...names, ...(ids.length > 3 ? [`${ids.length - 3} more`] : [])].join(', ')
}

function nameRule(id: RuleId, origin: RuleOrigin | undefined): string {
  if (origin === undefined) return `rule ${plain(id)} (not in this commit)`
  const { firewall, direction, name, source } = origin
  return plain(`${firewall} / ${direction} / ${name} (${formatSource(source)})`)
}

function cut(text: string, { maxLineLength }: ChangeStyle): string {
  const harmless = plain(text.length > maxLineLength ? text.slice(0, maxLineLength) : text)
  return text.length > maxLineLength ? `${harmless}…` : harmless
}
