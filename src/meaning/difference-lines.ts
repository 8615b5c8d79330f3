import { type Prefix, aggregate, subtract } from '../net/prefix.ts'
import type { RuleId } from '../model/model.ts'
import { groupBy } from './groups.ts'
import { type Line, allowedOf, classesOfLines, decide } from './space.ts'
import { type AddressClass, everyone, prefixesOfClasses, spansOf } from './space-addresses.ts'
import { type Services, intersection, isNothing, noService, union, without } from './space-services.ts'

/** An exact set of packets at one place and direction: any of these peers with any of these services. */
export interface Traffic {
  /** Aggregated, IPv4 first. */
  readonly peers: readonly Prefix[]
  readonly services: Services
  /** Rules that allow it, or did. Empty where it passes without one. */
  readonly rules: readonly RuleId[]
}

/** What passes after and did not before, and the other way round. */
export interface LinesDifference {
  readonly opened: readonly Traffic[]
  readonly closed: readonly Traffic[]
}

/** Addresses of one class, a set of services, and the lines that let them pass. */
interface Piece {
  readonly addresses: AddressClass
  readonly services: Services
  readonly allowedBy: readonly { readonly id: RuleId | undefined; readonly services: Services }[]
}

/** The exact difference of two lists of lines. Looks only at addresses whose lines differ. */
export function differenceOfLines(before: readonly Line[], after: readonly Line[]): LinesDifference {
  const where = touchedPeers(before, after)
  if (where.length === 0) return { opened: [], closed: [] }
  const opened: Piece[] = []
  const closed: Piece[] = []
  // One list of both, so that a class is a class of both; copies, since one rule may be in both.
  const lines = [...before, ...after].map((line) => ({ ...line }))
  const isBefore = new Set<Line>(lines.slice(0, before.length))
  for (const { addresses, lines: speaking } of classesOfLines(lines, spansOf(where))) {
    const old = decide(
      speaking.filter((line) => isBefore.has(line)),
      addresses.family,
    )
    const young = decide(
      speaking.filter((line) => !isBefore.has(line)),
      addresses.family,
    )
    const [had, has] = [allowedOf(old), allowedOf(young)]
    if (had.key === has.key) continue
    opened.push({ addresses, services: without(has, had), allowedBy: allowing(young) })
    closed.push({ addresses, services: without(had, has), allowedBy: allowing(old) })
  }
  return { opened: gather(opened), closed: gather(closed) }
}

/** Everything that passes: the difference to nothing. */
export function trafficOfLines(lines: readonly Line[]): readonly Traffic[] {
  return differenceOfLines([], lines).opened
}

function allowing(decisions: ReturnType<typeof decide>): Piece['allowedBy'] {
  return decisions
    .filter(({ line, decided }) => line.verdict === 'allow' && !isNothing(decided))
    .map(({ line, decided }) => ({ id: line.id, services: decided }))
}

/**
 * The peers for whom anything may have changed. Lines that both sides share at the beginning and the end are passed over; where the rest
 * pairs off and only peers differ, it is those peers.
 */
function touchedPeers(before: readonly Line[], after: readonly Line[]): readonly Prefix[] {
  let [first, oldEnd, youngEnd] = [0, before.length, after.length]
  while (first < oldEnd && first < youngEnd && sameLine(before[first], after[first])) first++
  while (oldEnd > first && youngEnd > first && sameLine(before[oldEnd - 1], after[youngEnd - 1])) {
    oldEnd--
    youngEnd--
  }
  const [old, young] = [before.slice(first, oldEnd), after.slice(first, youngEnd)]
  const isOfPairs = old.length === young.length && old.every((line, index) => sameButPeer(line, young[index]))
  const touched = isOfPairs
    ? old.flatMap((line, index) => peersDifference(line.peer, (young[index] as Line).peer))
    : [...old, ...young].flatMap((line) => prefixesOf(line.peer))
  return aggregate(touched)
}

function sameLine(left: Line | undefined, right: Line | undefined): boolean {
  return (
    left !== undefined && right !== undefined && sameButPeer(left, right) && samePeer(left.peer, right.peer)
  )
}

function sameButPeer(left: Line, right: Line | undefined): boolean {
  return right !== undefined && left.verdict === right.verdict && sameServices(left, right)
}

const servicesText = new WeakMap<Line['services'], string>()

function sameServices(left: Line, right: Line): boolean {
  return left.services === right.services || textOf(left.services) === textOf(right.services)
}

function textOf(services: Line['services']): string {
  const known = servicesText.get(services) ?? JSON.stringify(services)
  servicesText.set(services, known)
  return known
}

function prefixesOf(peer: Line['peer']): readonly Prefix[] {
  return peer === 'any' ? everyone : peer.prefixes
}

const knownDifferences = new WeakMap<object, WeakMap<object, readonly Prefix[]>>()

/** Do two peers hold the same addresses? Lists are aggregated, so that equal ones are spelled alike. */
function samePeer(left: Line['peer'], right: Line['peer']): boolean {
  return left === right || peersDifference(left, right).length === 0
}

/** Addresses in one and not in the other. Lists are shared by many rules: each pair is compared once. */
function peersDifference(left: Line['peer'], right: Line['peer']): readonly Prefix[] {
  const [a, b] = [prefixesOf(left), prefixesOf(right)]
  if (a === b) return []
  const known = knownDifferences.get(a)?.get(b)
  if (known !== undefined) return known
  const isSame = a.length === b.length && a.every((prefix, index) => prefix === b[index])
  const found = isSame ? [] : [...subtract(a, b), ...subtract(b, a)]
  const byRight = knownDifferences.get(a) ?? new WeakMap<object, readonly Prefix[]>()
  knownDifferences.set(a, byRight.set(b, found))
  return found
}

/** Pieces as few lines: each set of services with all its peers, or each set of peers with all its services, whichever is shorter. */
function gather(all: readonly Piece[]): readonly Traffic[] {
  const found = all.filter((piece) => !isNothing(piece.services))
  const byServices = gatherByServices(found)
  const byAtom = gatherByPeers(found)
  return byAtom.length <= byServices.length ? byAtom : byServices
}

function gatherByServices(found: readonly Piece[]): readonly Traffic[] {
  return groupBy(found, (piece) => piece.services.key).map((group) =>
    traffic(group, (group[0] as Piece).services),
  )
}

/** Services are cut into atoms that every piece holds whole or not at all; atoms with the same peers make one line. */
function gatherByPeers(found: readonly Piece[]): readonly Traffic[] {
  let atoms: readonly { readonly services: Services; readonly pieces: readonly number[] }[] = []
  for (const [index, { services }] of found.entries()) {
    const inside = atoms.map((atom) => ({
      services: intersection(atom.services, services),
      pieces: [...atom.pieces, index],
    }))
    const outside = atoms.map((atom) => ({ ...atom, services: without(atom.services, services) }))
    const rest = {
      services: atoms.reduce((left, atom) => without(left, atom.services), services),
      pieces: [index],
    }
    atoms = [...inside, ...outside, rest].filter((atom) => !isNothing(atom.services))
  }
  return groupBy(atoms, (atom) => atom.pieces.join()).map((group) =>
    traffic(
      (group[0]?.pieces ?? []).map((index) => found[index] as Piece),
      group.reduce((sum, atom) => union(sum, atom.services), noService),
    ),
  )
}

function traffic(group: readonly Piece[], services: Services): Traffic {
  const rules = group.flatMap((piece) =>
    piece.allowedBy
      .filter((by) => by.id !== undefined && !isNothing(intersection(by.services, services)))
      .map((by) => by.id as RuleId),
  )
  return {
    peers: prefixesOfClasses(group.map((piece) => piece.addresses)),
    services,
    rules: [...new Set(rules)],
  }
}
