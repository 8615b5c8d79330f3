import { createHash } from 'node:crypto'
import { type Family, addressBits, addressValue, familyOf } from '../../net/address.ts'
import { type Prefix, ofFamily, prefixAddress, prefixBits } from '../../net/prefix.ts'
import type { AddressList, Direction, Nic } from '../../model/model.ts'
import { type Action, resubmit } from './action.ts'
import { type Flow, inTable } from './flow.ts'
import { addressIn } from './match.ts'
import { tables } from './tables.ts'

/** Bits in `reg8`–`reg15`. */
const memberBits = 256

/** How the rules of one direction on one bridge match the address lists that they name. */
export interface Membership {
  /** By name of the list. */
  readonly peersByList: ReadonlyMap<string, Readonly<Record<Family, ListPeer>>>
  /** Prefixes of all lists with a bit → the bits of every list that holds all of the prefix, ascending. */
  readonly bitsByPrefix: ReadonlyMap<Prefix, readonly number[]>
  /** Whose bit it is. */
  readonly listByBit: ReadonlyMap<number, string>
}

/**
 * How a list is matched in one family: a single prefix by the rule itself, several by a bit that is set when the peer's address is
 * in one of them. A bit rather than a conjunction: flows are members plus rules, lists may overlap as they like, and each rule
 * keeps its own counters.
 */
export type ListPeer =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'prefix'; readonly prefix: Prefix }
  | { readonly kind: 'bit'; readonly bit: number }

/** Membership for the rules of `nics` in one direction. Throws when there are more lists than bits. */
export function membershipOf(nics: readonly Nic[], direction: Direction): Membership {
  const lists = listsOf(nics, direction)
  const bitByList = assignBits(lists.filter(needsBit).map((list) => list.name))
  const peer = (list: AddressList, family: Family): ListPeer => {
    const [only, ...others] = ofFamily(list.prefixes, family)
    if (only === undefined) return { kind: 'nobody' }
    if (others.length === 0) return { kind: 'prefix', prefix: only }
    return { kind: 'bit', bit: bitByList.get(list.name) as number }
  }
  return {
    peersByList: new Map(lists.map((list) => [list.name, { 4: peer(list, 4), 6: peer(list, 6) }])),
    bitsByPrefix: bitsByPrefix(lists, bitByList),
    listByBit: new Map([...bitByList].map(([list, bit]) => [bit, list])),
  }
}

function needsBit(list: AddressList): boolean {
  return !isInline(list, 4) || !isInline(list, 6)
}

function isInline(list: AddressList, family: Family): boolean {
  return ofFamily(list.prefixes, family).length <= 1
}

/** The field that holds the peer's address: the source of what comes in, the destination of what goes out. */
export function peerField(
  direction: Direction,
  family: Family,
): 'nw_src' | 'nw_dst' | 'ipv6_src' | 'ipv6_dst' {
  if (direction === 'inbound') return family === 4 ? 'nw_src' : 'ipv6_src'
  return family === 4 ? 'nw_dst' : 'ipv6_dst'
}

/** The two tables of a direction. */
const tablesOf = {
  inbound: { members: tables.inMembers, rules: tables.inRules },
  outbound: { members: tables.outMembers, rules: tables.outRules },
} as const

/**
 * Looks the peer's address up in all lists at once, longest prefix first. Every flow sets all bits, since those of another
 * direction or NIC may still be there.
 */
export function memberFlows(membership: Membership, direction: Direction): readonly Flow[] {
  const { members, rules } = tablesOf[direction]
  const clear = membership.bitsByPrefix.size === 0 ? [] : setMembers([])
  return [
    ...[...membership.bitsByPrefix].map(([prefix, bits]) => memberFlow(prefix, bits, direction)),
    inTable(members)(0, {}, [...clear, resubmit(rules)]),
  ]
}

/** The flow of one prefix of `bitsByPrefix`. */
export function memberFlow(prefix: Prefix, bits: readonly number[], direction: Direction): Flow {
  const { members, rules } = tablesOf[direction]
  const family = familyOf(prefix)
  return inTable(members)(
    100 + prefixBits(prefix),
    { protocol: family === 4 ? 'ip' : 'ipv6', ...addressIn(peerField(direction, family), prefix) },
    [...setMembers(bits), resubmit(rules)],
  )
}

/** `xxreg2` is `reg8` to `reg11`, the first being the most significant; see ovs-fields(7). */
function setMembers(bits: readonly number[]): readonly Action[] {
  return ([2, 3] as const).map((half) => {
    const first = (half - 2) * 128
    const inHalf = bits.filter((bit) => bit >= first && bit < first + 128).map((bit) => bit - first)
    const value = inHalf.reduce(
      (sum, bit) => sum | (1n << BigInt(96 - 32 * Math.floor(bit / 32) + (bit % 32))),
      0n,
    )
    return { kind: 'set-members', half, bits: value }
  })
}

/** Lists that some rule names, each once. */
function listsOf(nics: readonly Nic[], direction: Direction): readonly AddressList[] {
  const byName = new Map<string, AddressList>()
  for (const nic of nics)
    for (const { peer } of nic[direction].rules) if (peer !== 'any') byName.set(peer.name, peer)
  return [...byName.values()]
}

/**
 * A list's bit comes from its name alone, but for collisions: then the next free one, in the order of the hashes. So a new list
 * rarely moves another, which would rewrite the flows of all its members.
 */
function assignBits(names: readonly string[]): ReadonlyMap<string, number> {
  if (names.length > memberBits)
    throw new Error(
      `one bridge can tell ${memberBits} address lists apart in one direction, and its rules name ${names.length}: ` +
        'join groups or sets that the same rules name',
    )
  const hashed = names
    .map((name) => ({ name, hash: createHash('sha256').update(`list\n${name}`).digest('hex') }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
  const bitByList = new Map<string, number>()
  const taken = new Set<number>()
  for (const { name, hash } of hashed) {
    let bit = Number.parseInt(hash.slice(0, 8), 16) % memberBits
    while (taken.has(bit)) bit = (bit + 1) % memberBits
    taken.add(bit)
    bitByList.set(name, bit)
  }
  return bitByList
}

function bitsByPrefix(
  lists: readonly AddressList[],
  bitByList: ReadonlyMap<string, number>,
): ReadonlyMap<Prefix, readonly number[]> {
  const own = new Map<Prefix, number[]>()
  for (const list of lists)
    for (const family of [4, 6] as const)
      if (!isInline(list, family))
        for (const prefix of ofFamily(list.prefixes, family)) {
          const bits = own.get(prefix) ?? []
          bits.push(bitByList.get(list.name) as number)
          own.set(prefix, bits)
        }
  const byLength = {
    4: new Map<number, Map<bigint, readonly number[]>>(),
    6: new Map<number, Map<bigint, readonly number[]>>(),
  }
  for (const [prefix, bits] of own) {
    const lengths = byLength[familyOf(prefix)]
    const members = lengths.get(prefixBits(prefix)) ?? new Map<bigint, readonly number[]>()
    lengths.set(prefixBits(prefix), members.set(leadingBits(prefix, prefixBits(prefix)), bits))
  }
  return new Map(
    [...own.keys()].sort().map((prefix) => {
      const [length, value] = [prefixBits(prefix), leadingBits(prefix, prefixBits(prefix))]
      const around = [...byLength[familyOf(prefix)]].filter(([shorter]) => shorter <= length)
      const bits = around.flatMap(
        ([shorter, members]) => members.get(value >> BigInt(length - shorter)) ?? [],
      )
      return [prefix, bits.sort((a, b) => a - b)]
    }),
  )
}

/** The first `length` bits of a prefix, as a number: the name of the prefix of that length that holds it. */
function leadingBits(prefix: Prefix, length: number): bigint {
  return addressValue(prefixAddress(prefix)) >> BigInt(addressBits(familyOf(prefix)) - length)
}
