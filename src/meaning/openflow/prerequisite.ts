import type { Prerequisite } from './field.ts'
import { type WordName, type Words, last } from './words.ts'

/** A packet, and how often it went through conntrack. */
export interface Seen {
  readonly words: Words
  readonly recirculations: number
}

/** Is the packet one that has the field? `undefined`: that is not known. See `mf_are_prereqs_ok` of Open vSwitch. */
export function isMet(requires: Prerequisite, seen: Seen): boolean | undefined {
  const { words } = seen
  const type = wordOf(words, 'ethType')
  switch (requires) {
    case 'none':
      return true
    case 'arp':
      return type === 0x0806 || type === 0x8035
    case 'ipv4':
      return type === 0x0800
    case 'ipv6':
      return type === 0x86dd
    case 'ip':
      return isIp(words)
    case 'vlan':
    case 'tag':
      return (wordOf(words, 'vlan') & 0x1000) !== 0
    case 'tcp':
      return and(hasProtocol(words, 6), hasPorts(seen))
    case 'udp':
      return and(hasProtocol(words, 17), hasPorts(seen))
    case 'sctp':
      return and(hasProtocol(words, 132), hasPorts(seen))
    case 'ports':
      return and(isIp(words), hasPorts(seen))
    case 'icmp4':
      return type === 0x0800 && hasProtocol(words, 1)
    case 'icmp6':
      return type === 0x86dd && hasProtocol(words, 58)
    case 'nd':
      return and(neighbour(words, 135) || neighbour(words, 136), hasPorts(seen))
    case 'nd-solicit':
      return and(neighbour(words, 135), hasPorts(seen))
    case 'nd-advert':
      return and(neighbour(words, 136), hasPorts(seen))
  }
}

export function isIp(words: Words): boolean {
  const type = wordOf(words, 'ethType')
  return type === 0x0800 || type === 0x86dd
}

/** Hop limit or time to live; `none` when it is no IP packet, `undefined` when it is not known. */
export function hopLimitLeft({ words }: Seen): number | 'none' | undefined {
  if (!isIp(words)) return 'none'
  return words.unknown[last('hopLimit')] === 0 ? wordOf(words, 'hopLimit') : undefined
}

/** A later fragment has none, unless conntrack put it together again: the kernel does, the userspace datapath only seems to. */
function hasPorts({ words, recirculations }: Seen): boolean | undefined {
  if ((wordOf(words, 'fragment') & 2) === 0) return true
  return recirculations === 0 ? false : undefined
}

function hasProtocol(words: Words, protocol: number): boolean {
  return isIp(words) && wordOf(words, 'ipProtocol') === protocol
}

function neighbour(words: Words, type: number): boolean {
  return (
    wordOf(words, 'ethType') === 0x86dd &&
    hasProtocol(words, 58) &&
    wordOf(words, 'sourcePort') === type &&
    wordOf(words, 'destinationPort') === 0
  )
}

function and(one: boolean, other: boolean | undefined): boolean | undefined {
  return one && other
}

function wordOf({ value }: Words, name: WordName): number {
  return value[last(name)] ?? 0
}
