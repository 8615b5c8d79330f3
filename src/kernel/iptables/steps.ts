import type { Family } from '../../net/address.ts'
import type { Change, Step } from '../backend.ts'
import { isHook, parseChainKey } from './chain.ts'
import { editScript } from './edit.ts'

/** A change with its key read: of a chain of ours, or of our jump in a chain of the kernel's. */
interface ChainChange {
  readonly chain: string
  readonly before: string | undefined
  readonly after: string | undefined
}

/**
 * One `iptables-restore --noflush` for each family, atomic: foreign chains and rules are not mentioned, untouched rules of ours
 * keep their counters. See iptables-restore(8).
 */
export function stepsFor(changes: readonly Change[]): readonly Step[] {
  return eachFamily(changes, (family, own) => {
    const hooks = own.filter(({ chain }) => isHook(chain))
    const chains = own.filter(({ chain }) => !isHook(chain))
    const edits = chains.filter(({ after }) => after !== undefined).map(moveChain)
    const removed = chains.filter(({ after }) => after === undefined)
    return [
      restore(family, [
        ...edits.flatMap(({ declaration }) => declaration),
        ...edits.flatMap(({ rules }) => rules),
        ...hooks.flatMap((hook) => [...hookRules(hook.before).map(deleteHook(hook)), ...insertHooks(hook)]),
        ...removed.map(({ chain }) => `-F ${chain}`),
        ...removed.map(({ chain }) => `-X ${chain}`),
      ]),
    ]
  })
}

/**
 * The way back, from before or after `stepsFor` in either family, and from the middle of itself. Whole chains first, then the
 * hooks, last the chains that were not there: declaring one makes it, so that deleting it cannot fail.
 */
export function undoFor(changes: readonly Change[]): readonly Step[] {
  return eachFamily(changes, (family, own) => {
    const hooks = own.filter(({ chain }) => isHook(chain))
    const chains = own.filter(({ chain }) => !isHook(chain))
    const kept = chains.filter(({ before }) => before !== undefined)
    const added = chains.filter(({ before }) => before === undefined)
    return [
      restore(family, [
        ...kept.map(({ chain }) => declare(chain)),
        ...kept.flatMap(({ chain, before }) => appendRules(chain, before ?? '')),
      ]),
      ...hooks.flatMap((hook) => undoHook(family, hook)),
      restore(family, [
        ...added.map(({ chain }) => declare(chain)),
        ...added.map(({ chain }) => `-X ${chain}`),
      ]),
    ]
  })
}

function eachFamily(
  changes: readonly Change[],
  stepsOf: (family: Family, changes: readonly ChainChange[]) => readonly (Step | undefined)[],
): readonly Step[] {
  return ([4, 6] as const).flatMap((family) => {
    const own = changes
      .map((change) => ({ ...parseChainKey(change.key), ...sidesOf(change) }))
      .filter((change) => change.family === family)
    return stepsOf(family, own).filter((step) => step !== undefined)
  })
}

function sidesOf(change: Change): Pick<ChainChange, 'before' | 'after'> {
  return {
    before: change.op === 'add' ? undefined : change.before,
    after: change.op === 'remove' ? undefined : change.after,
  }
}

/** Rule by rule, or anew where that takes fewer lines. */
function moveChain({ chain, before, after = '' }: ChainChange): {
  readonly declaration: readonly string[]
  readonly rules: readonly string[]
} {
  const edits = before === undefined ? undefined : editScript(linesOf(before), linesOf(after))
  if (edits === undefined) return { declaration: [declare(chain)], rules: appendRules(chain, after) }
  return {
    declaration: [],
    rules: edits.map((edit) =>
      edit.op === 'insert' ? `-I ${chain} ${edit.line} ${edit.text}` : `-D ${chain} ${edit.line}`,
    ),
  }
}

function linesOf(text: string): readonly string[] {
  return text === '' ? [] : text.split('\n')
}

/** Makes the chain, or empties it if it is there. */
function declare(chain: string): string {
  return `:${chain} - [0:0]`
}

function appendRules(chain: string, text: string): readonly string[] {
  return linesOf(text).map((rule) => `-A ${chain} ${rule}`)
}

/** Our jump and its place among the rules of the kernel's chain. */
interface HookRule {
  readonly position: number
  readonly rule: string
}

function hookRules(text: string | undefined): readonly HookRule[] {
  return linesOf(text ?? '').map((line) => {
    const cut = line.indexOf(' ')
    return { position: Number(line.slice(0, cut)), rule: line.slice(cut + 1) }
  })
}

/** By its text: what others put before it meanwhile changes its number, not its text. */
function deleteHook({ chain }: ChainChange): (hook: HookRule) => string {
  return ({ rule }) => `-D ${chain} ${rule}`
}

function insertHooks({ chain, after }: ChainChange): readonly string[] {
  return hookRules(after).map(({ position, rule }) => `-I ${chain} ${position} ${rule}`)
}

/**
 * Whether our jump is there is unknown, and a transaction that deletes a missing rule fails as a whole. So deletions go alone
 * and may fail; in between a second jump stands in, and serves as the mark that the last step is still to be done. Where the
 * old place does not exist any more, the first is the safe one.
 */
function undoHook(family: Family, { chain, before, after }: ChainChange): readonly (Step | undefined)[] {
  const [old, present] = [hookRules(before), hookRules(after)]
  const deletions = mostOf(old, present).map((rule) => mayFail(restore(family, [`-D ${chain} ${rule}`])))
  const [first] = old
  if (first === undefined) return deletions
  const standIn = first.rule.replace('--comment gitwall ', '--comment gitwall-undo ')
  const insertAt = (positions: readonly number[]) =>
    mayFail(
      restore(family, [
        `-D ${chain} ${standIn}`,
        ...old.map(({ rule }, index) => `-I ${chain} ${positions[index] ?? 1} ${rule}`),
      ]),
    )
  return [
    mayFail(restore(family, [`-D ${chain} ${standIn}`])),
    restore(family, [`-I ${chain} 1 ${standIn}`]),
    ...deletions,
    insertAt(old.map(({ position }) => position)),
    insertAt(old.map((_, index) => index + 1)),
  ]
}

/** Every rule as often as it stands in the one or the other, whichever is more. */
function mostOf(old: readonly HookRule[], present: readonly HookRule[]): readonly string[] {
  const count = (list: readonly HookRule[], rule: string) => list.filter((hook) => hook.rule === rule).length
  const rules = [...new Set([...old, ...present].map(({ rule }) => rule))]
  return rules.flatMap((rule) => Array<string>(Math.max(count(old, rule), count(present, rule))).fill(rule))
}

function mayFail(step: Step | undefined): Step | undefined {
  return step === undefined ? undefined : { ...step, mayFail: true }
}

/** `--wait` is for the legacy lock of all tables (xtables.lock); the nft back end has none and ignores it. */
function restore(family: Family, lines: readonly string[]): Step | undefined {
  if (lines.length === 0) return undefined
  const tool = family === 4 ? 'iptables-restore' : 'ip6tables-restore'
  return {
    phase: 'switch',
    kind: 'iptables',
    argv: [tool, '--noflush', '-w', '10'],
    stdin: ['*filter', ...lines, 'COMMIT', ''].join('\n'),
  }
}
