import { type Address, familyOf, parseAddress } from '../net/address.ts'
import { type Mac, isGroupMac, parseMac } from '../net/mac.ts'
import { type Prefix, maskHostBits, parsePrefix, rangePrefixes } from '../net/prefix.ts'
import { fail } from './collect.ts'
import type { Problem } from './problem.ts'
import { quote } from './quote.ts'
import { type Node, textOf } from './yaml-node.ts'

/** An address, prefix or range as prefixes. `undefined`, with a problem, when the text is none of them. */
export function readPrefixes(node: Node, problems: Problem[]): readonly Prefix[] | undefined {
  const text = textOf(node)
  if (text === undefined) return undefined
  const prefix = parsePrefix(text)
  if (prefix !== undefined) return [prefix]
  const fault = text.includes('-') ? undefined : hostBitsFault(text)
  if (fault !== undefined) {
    fail(problems, 'host-bits', node.at, fault)
    return undefined
  }
  const range = readRange(text)
  if (Array.isArray(range)) return range
  fail(problems, 'bad-address', node.at, typeof range === 'string' ? range : notAnAddress(text))
  return undefined
}

/** One prefix, or an address as a prefix. */
export function readPrefix(node: Node, problems: Problem[]): Prefix | undefined {
  const text = textOf(node)
  if (text === undefined) return undefined
  const prefix = parsePrefix(text)
  if (prefix !== undefined) return prefix
  const fault = hostBitsFault(text)
  if (fault === undefined)
    fail(
      problems,
      'bad-address',
      node.at,
      `${quote(text)} is not an address or prefix: write 10.0.0.7 or 10.0.0.0/24`,
    )
  else fail(problems, 'host-bits', node.at, fault)
  return undefined
}

/** One address that an interface can have: not a network's, not a multicast one. */
export function readAddress(node: Node, problems: Problem[]): Address | undefined {
  const text = textOf(node)
  if (text === undefined) return undefined
  const address = parseAddress(text)
  if (address === undefined) {
    const advice = text.includes('/')
      ? 'write it without "/" (what else it may use goes under "pairs")'
      : 'write 10.0.0.7 or 2001:db8::7'
    fail(problems, 'bad-address', node.at, `${quote(text)} is not an address: ${advice}`)
  } else if (/^(0|127|22[4-9]|2[3-5]\d)\.|^(::1?|ff[0-9a-f]{2}:.*)$/.test(address)) {
    fail(problems, 'bad-address', node.at, `${quote(text)} cannot be the address of an interface: correct it`)
    return undefined
  }
  return address
}

export function readMac(node: Node, problems: Problem[]): Mac | undefined {
  const text = textOf(node)
  if (text === undefined) return undefined
  const mac = parseMac(text)
  if (mac === undefined)
    fail(problems, 'bad-mac', node.at, `${quote(text)} is not a MAC: write "52:54:00:00:01:01"`)
  else if (isGroupMac(mac) || mac === '00:00:00:00:00:00') {
    fail(problems, 'bad-mac', node.at, `${quote(text)} is not the MAC of one interface: correct it`)
    return undefined
  }
  return mac
}

function hostBitsFault(text: string): string | undefined {
  const network = text.includes('/') ? maskHostBits(text) : undefined
  if (network === undefined) return undefined
  const [address = ''] = text.split('/')
  if (network === `${parseAddress(address) ?? ''}/${text.split('/')[1] ?? ''}`) return undefined
  return `${quote(text)} has host bits set: write "${network}" for the network, or "${address}" for the address`
}

/** `a-b` as prefixes, or what is wrong; `undefined` when it does not look like a range. */
function readRange(text: string): readonly Prefix[] | string | undefined {
  const parts = text.split('-')
  if (parts.length !== 2) return undefined
  const [first, last] = [parseAddress(parts[0]?.trim() ?? ''), parseAddress(parts[1]?.trim() ?? '')]
  if (first === undefined || last === undefined) return undefined
  if (familyOf(first) !== familyOf(last))
    return `${quote(text)} goes from one IP version to the other: write two ranges`
  const prefixes = rangePrefixes(first, last)
  return prefixes.length === 0 ? `${quote(text)} goes downwards: swap its ends` : prefixes
}

function notAnAddress(text: string): string {
  const advice = /^::ffff:/i.test(text)
    ? 'write the IPv4 address itself'
    : 'write 10.0.0.7, 10.0.0.0/24 or 10.0.0.7-10.0.0.9'
  return `${quote(text)} is not an address, prefix or range: ${advice}`
}
