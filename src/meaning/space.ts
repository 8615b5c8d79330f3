import type { Family } from '../net/address.ts'
import { aggregate } from '../net/prefix.ts'
import type { AddressList, HostModel, Rule, RuleId, Ruleset } from '../model/model.ts'
import { type AddressClass, type Spans, addressClasses, everyone, spansOf } from './space-addresses.ts'
import {
  type Services,
  everyService,
  intersection,
  isNothing,
  noService,
  servicesOf,
  union,
  without,
} from './space-services.ts'

/** What decides at one place, first match wins: a rule, or (without an id) what holds without one. */
export interface Line extends Omit<Rule, 'id'> {
  readonly id?: RuleId
}

/** A ruleset as lines whose end is "deny". */
export function linesOf(ruleset: Ruleset): readonly Line[] {
  return ruleset.kind === 'filtered' ? ruleset.rules : everythingPasses
}

const everythingPasses: readonly Line[] = [{ verdict: 'allow', peer: 'any', services: [{ protocol: 'any' }] }]

/** The hypervisor's own inbound rules behind the floor that no policy can take away, see `judge`. */
export function hostInboundLines(host: HostModel): readonly Line[] {
  if (host.management.length === 0) return linesOf(host.own.inbound)
  const peer = { name: 'management', prefixes: aggregate(host.management) }
  return [{ verdict: 'allow', peer, services: sshOnly }, ...linesOf(host.own.inbound)]
}

const sshOnly = [{ protocol: 'tcp', ports: [{ first: 22, last: 22 }], sourcePorts: [] }] as const

/** Cuts `within` into classes of addresses that all peers of `lines` treat alike; each class with the lines that speak of it. */
export function classesOfLines(
  lines: readonly Line[],
  within: Spans,
): readonly { readonly addresses: AddressClass; readonly lines: readonly Line[] }[] {
  const lists = [...new Set(lines.map((line) => line.peer).filter((peer) => peer !== 'any'))]
  const indexByList = new Map<AddressList, number>(lists.map((list, index) => [list, index]))
  return addressClasses(lists.map(spansOfList), within).map((addresses) => {
    const holding = new Set(addresses.lists)
    return {
      addresses,
      lines: lines.filter(({ peer }) => peer === 'any' || holding.has(indexByList.get(peer) ?? -1)),
    }
  })
}

function spansOfList(list: AddressList): Spans {
  return spansOf(list.prefixes)
}

export const everywhere: Spans = spansOf(everyone)

/** What one line decides where all lines speak of the same peer: what it matches, and no earlier line did. */
export interface Decision {
  readonly line: Line
  readonly matched: Services
  readonly decided: Services
}

/** First match wins. Lines must all speak of the peer. */
export function decide(lines: readonly Line[], family: Family): readonly Decision[] {
  let open = everyService
  return lines.map((line) => {
    const matched = servicesOf(line.services, family)
    const decided = intersection(matched, open)
    if (!isNothing(decided)) open = without(open, decided)
    return { line, matched, decided }
  })
}

/** What passes where all lines speak of the peer. */
export function allowedOf(decisions: readonly Decision[]): Services {
  return decisions
    .filter(({ line }) => line.verdict === 'allow')
    .reduce((sum, { decided }) => union(sum, decided), noService)
}
