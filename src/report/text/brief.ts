import type { Change, KindName } from '../../kernel/backend.ts'
import type { HostOutcome } from '../../plan/outcome.ts'
import { usersOf } from '../attribution.ts'
import { type ChangeStyle, formatChange, formatRemark, formatSigned, linesOf, nameRules } from './change.ts'

/** A kind's objects are shown with their content where the host has no more changes, and they take no more lines, than these. */
const fewObjects = 12
const fewLines = 16

/** Entries shown of one kind on one host. */
const maxEntries = 30

/** What is counted of a kind: the parts of an object, its first `headerLines` being none; or objects of one line, by rule. */
type Counted =
  | { readonly part: string; readonly headerLines: number }
  | { readonly object: string; readonly objects: string }

const countedOf: Readonly<Record<KindName, Counted>> = {
  ipset: { part: 'member', headerLines: 1 },
  nft: { part: 'line', headerLines: 0 },
  iptables: { part: 'rule', headerLines: 0 },
  ovs: { object: 'flow', objects: 'flows' },
}

/** An object that comes or goes as a whole. */
interface Whole {
  readonly op: 'add' | 'remove'
  readonly key: string
  readonly lines: readonly string[]
  /** Names of the rules it serves, harmless; empty for none. */
  readonly rules: string
}

/**
 * One kind's changes in few lines: an object that comes or goes as a whole is counted, unless it is one of few; one that is
 * replaced shows its difference always, together with those of the same difference.
 */
export function formatBriefly(outcome: HostOutcome, kind: KindName, style: ChangeStyle): readonly string[] {
  const changes = outcome.changes.get(kind) ?? []
  const isContentLeftOut = isCounted(outcome, kind)
  const isEntry = (change: Change) =>
    change.op !== 'replace' && (isContentLeftOut || linesOf(change).length < 2)
  const wholes = changes.filter(isEntry).flatMap((change) => asWhole(outcome, kind, change, style))
  return [
    ...atMost(maxEntries, isContentLeftOut ? count(kind, wholes, style) : listByRule(wholes, style)),
    ...showDifferences(
      outcome,
      kind,
      changes.filter((change) => !isEntry(change)),
      style,
    ),
  ]
}

/** Does the brief form leave out what the objects contain that come or go as a whole? */
export function isCounted(outcome: HostOutcome, kind: KindName): boolean {
  const objects = [...outcome.changes.values()].reduce((sum, changes) => sum + changes.length, 0)
  const wholes = (outcome.changes.get(kind) ?? []).filter(({ op }) => op !== 'replace')
  const lines = wholes.reduce((sum, change) => sum + Math.max(1, linesOf(change).length), 0)
  return wholes.length > 0 && (objects > fewObjects || lines > fewLines)
}

function asWhole(
  outcome: HostOutcome,
  kind: KindName,
  change: Change,
  { ruleIdsOf, rules }: ChangeStyle,
): readonly Whole[] {
  const { op, key } = change
  if (op === 'replace') return []
  const lines = linesOf(change).map(({ line }) => line)
  // The rules of many lines would not fit on one; those who want them see the lines.
  const ids = [...usersOf(outcome, kind, key), ...(lines.length === 1 ? ruleIdsOf(kind, lines[0] ?? '') : [])]
  return [{ op, key, lines, rules: nameRules(ids, rules) }]
}

/** Objects of one line under the rules that they serve; first those of none. */
function listByRule(wholes: readonly Whole[], style: ChangeStyle): readonly string[] {
  const groups = groupBy(wholes, ({ rules }) => rules)
  return [...groups.filter(([rules]) => rules === ''), ...groups.filter(([rules]) => rules !== '')].flatMap(
    ([rules, group]) => [
      ...(rules === '' ? [] : [formatRemark(rules, style)]),
      ...group.map(({ op, key, lines }) => formatSigned(op, [key, ...lines].join('  '), style)),
    ],
  )
}

function count(kind: KindName, wholes: readonly Whole[], style: ChangeStyle): readonly string[] {
  const counted = countedOf[kind]
  if ('object' in counted) {
    return groupBy(wholes, ({ op, rules }) => `${op} ${rules}`).map(([, group]) => {
      const [{ op, rules }] = group
      const noun = group.length === 1 ? counted.object : counted.objects
      return formatSigned(op, `${group.length} ${noun} of ${rules === '' ? 'no rule' : rules}`, style)
    })
  }
  return groupBy(wholes, ({ op, key }) => `${op} ${withoutFamily(key)}`).map(([, group]) => {
    const [{ op, rules }] = group
    const sizes = group.map(({ lines }) => Math.max(0, lines.length - counted.headerLines))
    const total = sizes.reduce((sum, size) => sum + size, 0)
    const size = total === 0 ? '' : `  (${sizes.join('+')} ${counted.part}${total === 1 ? '' : 's'})`
    const used = rules === '' ? '' : `  ${style.paint('dim', `# ${rules}`)}`
    return `${formatSigned(op, nameOf(group), style)}${size}${used}`
  })
}

/** Objects with their content; those that differ alike show it once. */
function showDifferences(
  outcome: HostOutcome,
  kind: KindName,
  changes: readonly Change[],
  style: ChangeStyle,
): readonly string[] {
  const usersOfKey = ({ key }: Change) => usersOf(outcome, kind, key)
  const groups = groupBy(changes, (change) =>
    JSON.stringify([change.op, usersOfKey(change), linesOf(change)]),
  )
  const blocks = groups.map(([, group]) => {
    const [first] = group
    const names = groupBy(group, ({ key }) => withoutFamily(key)).map(([, same]) => nameOf(same))
    return [
      ...atMost(
        maxEntries,
        names.map((name) => formatSigned(first.op, name, style)),
      ),
      ...formatChange(kind, first, usersOfKey(first), style).slice(1),
    ]
  })
  return atMost(maxEntries, blocks).flat()
}

/** One name for what differs in its family only. */
function nameOf(same: readonly [{ readonly key: string }, ...(readonly { readonly key: string }[])]): string {
  return same.length === 1 ? same[0].key : same[0].key.replace(family, '$1{4,6}$3')
}

/** `4 filter gw-input` and `6 filter gw-input`, `gw-4-…` and `gw-6-…` are one thing to people. */
const family = /^(|gw-)([46])([ -].*)$/s

function withoutFamily(key: string): string {
  return key.replace(family, '$1*$3')
}

/** Groups in the order of their first members. */
function groupBy<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
): readonly (readonly [string, readonly [T, ...T[]]])[] {
  const groups = new Map<string, [T, ...T[]]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return [...groups]
}

function atMost<T>(most: number, entries: readonly T[]): readonly (T | string)[] {
  const left = entries.length - Math.min(entries.length, most)
  return left === 0 ? entries : [...entries.slice(0, most), `… ${left} more (--verbose shows all)`]
}
