import type { Tracking } from '../frame.ts'
import { type WordName, type Words, first, last } from './words.ts'
import { ctState } from './value.ts'

const flagsOf: Readonly<Record<Tracking, number>> = {
  new: ctState.tracked | ctState.new,
  request: ctState.tracked | ctState.established,
  reply: ctState.tracked | ctState.established | ctState.reply,
  related: ctState.tracked | ctState.related,
  'related-reply': ctState.tracked | ctState.related | ctState.reply,
  invalid: ctState.tracked | ctState.invalid,
  untracked: 0,
}

const translated = ctState.sourceTranslated | ctState.destinationTranslated

const words = [
  'ctState',
  'ctZone',
  'ctMark',
  'ctLabel',
  'ctProtocol',
  'ctIpSource',
  'ctIpDestination',
  'ctIpv6Source',
  'ctIpv6Destination',
  'ctSourcePort',
  'ctDestinationPort',
] as const

/** Makes the packet untracked: all fields of connection tracking are zero. */
export function clearTracking(packet: Words): void {
  for (const name of words)
    for (let word = first[name]; word <= last(name); word++) {
      packet.value[word] = 0
      packet.unknown[word] = 0
    }
}

/** What a look at conntrack can have left to tell. */
export interface Lookup {
  readonly tracking: Tracking
  /** `undefined`: it is not known. */
  readonly zone: number | undefined
  /** Does any flow of the bridge translate addresses? Then a known connection may be a translated one. */
  readonly mayTranslate: boolean
}

/**
 * Fields of connection tracking after `ct(table=…)`. A connection that conntrack does not know has no mark and no label, and its
 * first packet's own addresses; of one that it knows, these were set by whoever made it known, and nobody told us.
 */
export function setTracking(packet: Words, { tracking, zone, mayTranslate }: Lookup): void {
  clearTracking(packet)
  packet.value[last('ctState')] = flagsOf[tracking]
  packet.value[last('ctZone')] = zone ?? 0
  if (zone === undefined || tracking === 'untracked') packet.unknown[last('ctZone')] = 0xffff
  if (tracking === 'invalid' || tracking === 'untracked') return
  if (tracking === 'new') copyTuple(packet)
  else {
    if (mayTranslate) packet.unknown[last('ctState')] = translated
    for (const name of words.slice(2))
      for (let word = first[name]; word <= last(name); word++) packet.unknown[word] = 0xffffffff
  }
}

const tuple: readonly (readonly [from: WordName, to: WordName])[] = [
  ['ipProtocol', 'ctProtocol'],
  ['ipSource', 'ctIpSource'],
  ['ipDestination', 'ctIpDestination'],
  ['ipv6Source', 'ctIpv6Source'],
  ['ipv6Destination', 'ctIpv6Destination'],
  ['sourcePort', 'ctSourcePort'],
  ['destinationPort', 'ctDestinationPort'],
]

function copyTuple({ value, unknown }: Words): void {
  for (const [from, to] of tuple)
    for (let at = 0; at <= last(to) - first[to]; at++) {
      value[first[to] + at] = value[first[from] + at] ?? 0
      unknown[first[to] + at] = unknown[first[from] + at] ?? 0
    }
}
