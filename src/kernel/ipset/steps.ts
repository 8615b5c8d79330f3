import type { Change, Step } from '../backend.ts'
import { type AddressSet, formatSet, headerFor, isPlainMember, parseSet, sortMembers } from './set.ts'

/**
 * New sets and new members first (`widen`), lost members after the rules have switched (`narrow`), lost sets last. A set that
 * may be referenced is never emptied or recreated, it is swapped. See ipset(8).
 */
export function stepsFor(changes: readonly Change[]): readonly Step[] {
  const debris = changes.filter(({ op, key }) => op === 'remove' && isTemporary(key))
  return [
    ...restore('widen', [...debris.map(({ key }) => `destroy ${key}`), ...changes.flatMap(widen)]),
    ...restore('narrow', changes.flatMap(narrow)),
    ...removed(changes)
      .filter((name) => !isTemporary(name))
      .map(destroy),
    ...restore('cleanup', changes.flatMap(rebuildDebris)),
  ]
}

/**
 * Back to every `before`, from wherever `stepsFor` stopped: the same moves with the two sides exchanged, since they are
 * absolute (`-exist`, whole sets swapped in), after what a swap or a remake that was cut short left is out of the way.
 */
export function undoFor(changes: readonly Change[]): readonly Step[] {
  const back = changes.map(inverse)
  return [
    ...back.flatMap(inTheWay).map((name): Step => ({ ...destroy(name), phase: 'widen' })),
    ...restore(
      'widen',
      back.flatMap((change) => (isRemade(change) ? build(change.key, change.after) : widen(change))),
    ),
    ...restore('narrow', back.flatMap(narrow)),
    ...removed(back).map(destroy),
    ...restore('cleanup', back.flatMap(rebuildDebris)),
  ]
}

function removed(changes: readonly Change[]): readonly string[] {
  return changes.filter(({ op }) => op === 'remove').map(({ key }) => key)
}

function inTheWay(change: Change): readonly string[] {
  if (change.op !== 'replace') return []
  switch (moveOf(change).kind) {
    case 'members':
      return []
    case 'swap':
      return [temporary(change.key)]
    case 'remake':
      return [change.key]
  }
}

function inverse(change: Change): Change {
  switch (change.op) {
    case 'add':
      return { op: 'remove', key: change.key, before: change.after }
    case 'remove':
      return { op: 'add', key: change.key, after: change.before }
    case 'replace':
      return { op: 'replace', key: change.key, before: change.after, after: change.before }
  }
}

function widen(change: Change): readonly string[] {
  switch (change.op) {
    case 'add':
      return isTemporary(change.key) ? [] : build(change.key, change.after)
    case 'remove':
      return []
    case 'replace': {
      const move = moveOf(change)
      switch (move.kind) {
        case 'members':
          return move.added.map((member) => `add ${change.key} ${member}`)
        case 'swap':
          return swapIn(change.key, formatSet(move.wider))
        case 'remake':
          return [`destroy ${change.key}`, ...build(change.key, change.after)]
      }
    }
  }
}

function narrow(change: Change): readonly string[] {
  if (change.op !== 'replace') return []
  const move = moveOf(change)
  switch (move.kind) {
    case 'members':
      return move.removed.map((member) => `del ${change.key} ${member}`)
    case 'swap':
      return formatSet(move.wider) === change.after ? [] : swapIn(change.key, change.after)
    case 'remake':
      return []
  }
}

/**
 * How a set becomes another: member by member, or built anew beside itself where its header or a member forbids that. One of
 * another type or family, which only a hand can have made under our name, cannot be swapped; while a rule names it, this fails.
 */
type Move =
  | { readonly kind: 'members'; readonly added: readonly string[]; readonly removed: readonly string[] }
  | { readonly kind: 'swap'; readonly wider: AddressSet }
  | { readonly kind: 'remake' }

function moveOf(change: Change & { readonly op: 'replace' }): Move {
  const [before, after] = [parseSet(change.before), parseSet(change.after)]
  if (typeOf(before.header) !== typeOf(after.header)) return { kind: 'remake' }
  if (before.header !== after.header || ![...before.members, ...after.members].every(isPlainMember))
    return { kind: 'swap', wider: wider(before, after) }
  const [old, wanted] = [new Set(before.members), new Set(after.members)]
  return {
    kind: 'members',
    added: after.members.filter((member) => !old.has(member)),
    removed: before.members.filter((member) => !wanted.has(member)),
  }
}

function isRemade(change: Change): change is Change & { readonly op: 'replace' } {
  return change.op === 'replace' && moveOf(change).kind === 'remake'
}

function typeOf(header: string): string {
  return header.split(' ').slice(0, 3).join(' ')
}

/** Everything that is in either, so that the switch in between passes through nothing narrower than both (invariant 6). */
function wider(before: AddressSet, after: AddressSet): AddressSet {
  const members = sortMembers([...after.members, ...before.members.filter(isPlainMember)])
  if (members.length === after.members.length) return after
  const family = after.header.includes(' inet6 ') ? 6 : 4
  const header = sizeOf(after.header) < members.length ? headerFor(family, members.length) : after.header
  return { header, members }
}

function sizeOf(header: string): number {
  return Number(/ maxelem (\d+)/.exec(header)?.[1] ?? 65_536)
}

function build(name: string, text: string): readonly string[] {
  const { header, members } = parseSet(text)
  return [`create ${name} ${header}`, ...members.map((member) => `add ${name} ${member}`)]
}

/** Rules follow the name, so they see the new content at once. A swap needs one type and family on both sides. */
function swapIn(name: string, text: string): readonly string[] {
  return [...build(temporary(name), text), `swap ${temporary(name)} ${name}`, `destroy ${temporary(name)}`]
}

/** A snapshot may hold what a swap that was cut short left behind; it comes back when no swap can be in its way. */
function rebuildDebris(change: Change): readonly string[] {
  return change.op === 'add' && isTemporary(change.key) ? build(change.key, change.after) : []
}

function temporary(name: string): string {
  return `${name}-tmp`
}

function isTemporary(name: string): boolean {
  return name.endsWith('-tmp')
}

function restore(phase: Step['phase'], lines: readonly string[]): readonly Step[] {
  if (lines.length === 0) return []
  return [{ phase, kind: 'ipset', argv: ['ipset', '-exist', 'restore'], stdin: `${lines.join('\n')}\n` }]
}

/**
 * One run each: a set may be "in use by a kernel component" for a moment after the rule that named it was deleted, so the
 * caller repeats this for some seconds; what stays is found by the read-back.
 */
function destroy(name: string): Step {
  return { phase: 'cleanup', kind: 'ipset', argv: ['ipset', 'destroy', name], stdin: '', mayFail: true }
}
