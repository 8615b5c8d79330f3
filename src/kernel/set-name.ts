import { createHash } from 'node:crypto'
import type { AddressList, HostModel, Rule } from '../model/model.ts'
import type { Family } from '../net/address.ts'
import { type Prefix, ofFamily } from '../net/prefix.ts'

/** How the rules of one family speak of a peer. `nobody`: the list is empty in that family, so no packet matches. */
export type PeerForm =
  | { readonly kind: 'any' }
  | { readonly kind: 'nobody' }
  | { readonly kind: 'prefix'; readonly prefix: Prefix }
  | { readonly kind: 'set'; readonly name: string }

/**
 * Name of the set that holds the prefixes of `listName` in `family`: `gw-4-…` or `gw-6-…`, 21 characters of the 31 that
 * ipset(8) allows, which leaves room for `-tmp`.
 */
export function setName(listName: string, family: Family): string {
  return `gw-${family}-${createHash('sha256').update(`list\n${listName}`).digest('hex').slice(0, 16)}`
}

/** One prefix stands in the rule itself, more make a set: a member that comes or goes then changes no rule. */
export function peerForm(peer: 'any' | AddressList, family: Family): PeerForm {
  if (peer === 'any') return { kind: 'any' }
  const [first, ...more] = ofFamily(peer.prefixes, family)
  if (first === undefined) return { kind: 'nobody' }
  return more.length === 0
    ? { kind: 'prefix', prefix: first }
    : { kind: 'set', name: setName(peer.name, family) }
}

/** The sources of SSH that no policy can shut out, as a list. No list of a policy has this name: those hold a colon. */
export function managementList(host: HostModel): AddressList {
  return { name: 'management', prefixes: host.management }
}

/** Can a packet of `family` match any service of `rule`? ICMP is IPv4's, ICMPv6 is IPv6's. */
export function speaksOf(rule: Rule, family: Family): boolean {
  const foreign = family === 4 ? 'icmp6' : 'icmp'
  return rule.services.some(({ protocol }) => protocol !== foreign)
}
