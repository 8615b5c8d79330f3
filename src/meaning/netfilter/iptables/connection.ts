import type { Tracking } from '../../frame.ts'
import type { Test } from '../chain.ts'
import { matchesMark } from '../mark.ts'
import { hasConnection, trackingOf } from '../passage.ts'
import { doubt, negateIf } from '../truth.ts'
import type { OptionReader } from './header.ts'
import type { Option } from './words.ts'

/** As `--ctstate` calls them. A packet that conntrack has not yet seen counts as invalid (`conntrack_mt`). */
const stateOf: Readonly<Record<Tracking | 'none', string>> = {
  new: 'NEW',
  request: 'ESTABLISHED',
  reply: 'ESTABLISHED',
  related: 'RELATED',
  'related-reply': 'RELATED',
  invalid: 'INVALID',
  untracked: 'UNTRACKED',
  none: 'INVALID',
}

const stateNames = new Set([...Object.values(stateOf), 'SNAT', 'DNAT'])

/**
 * `-m conntrack` as a whole: without a connection only the state counts, and whatever else was asked is not looked at
 * (`conntrack_mt` in `xt_conntrack.c`).
 */
export function conntrackTests(options: readonly Option[]): readonly Test[] | undefined {
  const state = options.find(({ name }) => name === '--ctstate')
  const stateTest = state === undefined ? undefined : readState(state)
  if (state !== undefined && stateTest === undefined) return undefined
  const others = options.filter((option) => option !== state)
  const tests = others.map((option) => ofConnection(option, state !== undefined))
  return stateTest === undefined ? tests : [stateTest, ...tests]
}

function ofConnection(option: Option, hasState: boolean): Test {
  const direction = option.values[0]
  const isKnown = option.name === '--ctdir' && (direction === 'ORIGINAL' || direction === 'REPLY')
  const unsure = doubt(`-m conntrack ${option.name} ${option.values.join(' ')}`)
  return (passage) => {
    const tracking = trackingOf(passage)
    if (typeof tracking === 'object') return tracking
    if (!hasConnection(tracking)) return hasState
    if (!isKnown) return unsure
    return (isReply(tracking) === (direction === 'REPLY')) !== option.isNegated
  }
}

function isReply(tracking: Tracking | 'none'): boolean {
  return tracking === 'reply' || tracking === 'related-reply'
}

/** `--ctstate` and `-m state --state`. Whether a connection is translated nobody says. */
export const readState: OptionReader = ({ name, values, isNegated }) => {
  const states = (values[0] ?? '').split(',')
  if ((name !== '--ctstate' && name !== '--state') || !states.every((state) => stateNames.has(state)))
    return undefined
  const asksTranslation = states.includes('SNAT') || states.includes('DNAT')
  const unsure = doubt('whether the connection is translated')
  return (passage) => {
    const tracking = trackingOf(passage)
    if (typeof tracking === 'object') return tracking
    const isIn = states.includes(stateOf[tracking])
    return negateIf(isNegated, !isIn && asksTranslation && hasConnection(tracking) ? unsure : isIn)
  }
}

/** `-m mark`. */
export const readMark: OptionReader = ({ name, values, isNegated }) => {
  const wanted = name === '--mark' ? readMarkAndMask(values[0]) : undefined
  if (wanted === undefined) return undefined
  return ({ mark }) => negateIf(isNegated, matchesMark(mark, wanted.value, wanted.mask))
}

/** `-m connmark`; without a connection there is none, negated or not (`connmark_mt`). */
export const readConnectionMark: OptionReader = ({ name, values, isNegated }) => {
  const wanted = name === '--mark' ? readMarkAndMask(values[0]) : undefined
  if (wanted === undefined) return undefined
  return (passage) => {
    const tracking = trackingOf(passage)
    if (typeof tracking === 'object') return tracking
    if (!hasConnection(tracking)) return false
    return negateIf(isNegated, matchesMark(passage.connectionMark, wanted.value, wanted.mask))
  }
}

/** `value` or `value/mask`, 32 bits each. */
export function readMarkAndMask(
  text: string | undefined,
): { readonly value: number; readonly mask: number } | undefined {
  const [, value, mask] =
    /^(0x[0-9a-f]{1,8}|\d{1,10})(?:\/(0x[0-9a-f]{1,8}|\d{1,10}))?$/i.exec(text ?? '') ?? []
  if (value === undefined) return undefined
  return { value: Number(value) >>> 0, mask: mask === undefined ? 0xffffffff : Number(mask) >>> 0 }
}
