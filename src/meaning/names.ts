import { addressBook } from '../model/addresses.ts'
import { type Prefix, aggregate, subtract } from '../net/prefix.ts'
import { familyOf } from '../net/address.ts'
import type { Repo } from '../repo/repo.ts'
import type { Place } from './difference.ts'
import { everyone, volumeOf } from './space-addresses.ts'

/** The names that people gave to addresses and guests. */
export interface Names {
  /** `set:office`, `group:web`, `guest:db-1`, `host:hv-1`, the most general first. */
  readonly lists: readonly { readonly name: string; readonly prefixes: readonly Prefix[] }[]
  /** Inventory group → its guests and hypervisors, the smallest groups first. */
  readonly groups: ReadonlyMap<string, readonly string[]>
}

const shownPrefixes = 4
const shownPlaces = 4
/** Lists put together to name one set of addresses. */
const joinedLists = 4

/** The names that a repository has. */
export function namesOf(repo: Repo): Names {
  const { prefixesOf } = addressBook(repo)
  const at = { file: '', line: 1, column: 1 }
  const { hosts, groups } = repo.inventory
  const isOurs = (name: string) => hosts.get(name)?.role.kind !== 'none' && hosts.has(name)
  const members = [...groups].map(([name, all]) => [name, all.filter(isOurs)] as const)
  const groupMembers = members.filter(([, own]) => own.length > 0).sort((a, b) => a[1].length - b[1].length)
  const references = [
    ...[...repo.sets.keys()].map((name) => ({ kind: 'set' as const, name })),
    ...groupMembers.map(([name]) => ({ kind: 'group' as const, name })),
    ...[...hosts.values()].flatMap(({ name, role }) =>
      role.kind === 'none'
        ? []
        : [{ kind: role.kind === 'guest' ? ('guest' as const) : ('host' as const), name }],
    ),
  ]
  const lists = references.map(({ kind, name }) => ({
    name: `${kind}:${name}`,
    prefixes: prefixesOf({ at, kind, name }),
  }))
  return { lists: lists.filter((list) => list.prefixes.length > 0), groups: new Map(groupMembers) }
}

/** Names for peers and places, for one report: names are looked up once. */
export interface Namer {
  /** `any`, `any except set:office`, `group:web, 192.0.2.7/32`, `10.0.0.0/24, … (12 prefixes)`. */
  readonly peers: (prefixes: readonly Prefix[]) => string
  /** `guest:db-1`, `group:db (14 guests)`, `guest:a, guest:b, … (9 guests)`. */
  readonly places: (places: readonly Place[]) => string
}

export function namer(names: Names): Namer {
  const exact = new Map<string, string>()
  for (const { name, prefixes } of names.lists)
    if (!exact.has(prefixes.join())) exact.set(prefixes.join(), name)
  const groupByMembers = new Map<string, string>()
  for (const [group, members] of names.groups)
    if (members.length > 1 && !groupByMembers.has(keyOf(members))) groupByMembers.set(keyOf(members), group)
  return {
    peers: (prefixes) => peerText(prefixes, names, exact),
    places: (places) => placeText(places, groupByMembers),
  }
}

function keyOf(members: readonly string[]): string {
  return [...members].sort().join('\n')
}

function peerText(prefixes: readonly Prefix[], names: Names, exact: ReadonlyMap<string, string>): string {
  const known = exact.get(prefixes.join())
  if (prefixes.join() === everyone.join()) return 'any'
  if (known !== undefined) return known
  if (prefixes.length === 1 && everyone.includes(prefixes[0] as Prefix))
    return `any IPv${familyOf(prefixes[0] as Prefix)}`
  const joined = joinLists(prefixes, names)
  if (joined !== undefined) return joined
  const others = complement(prefixes)
  if (others === undefined || others.rest.length >= prefixes.length) return prefixList(prefixes)
  const except = exact.get(others.rest.join()) ?? joinLists(others.rest, names) ?? prefixList(others.rest)
  return `${others.whole} except ${except}`
}

/** What is missing of everyone, or of the only family that there is. */
function complement(
  prefixes: readonly Prefix[],
): { readonly whole: string; readonly rest: readonly Prefix[] } | undefined {
  const families = [...new Set(prefixes.map(familyOf))]
  const [only] = families
  if (only === undefined) return undefined
  const whole = families.length === 2 ? everyone : everyone.filter((prefix) => familyOf(prefix) === only)
  return { whole: families.length === 2 ? 'any' : `any IPv${only}`, rest: subtract(whole, prefixes) }
}

/** Lists that lie inside and hold it all, the largest first, with a few prefixes that no list holds. */
function joinLists(prefixes: readonly Prefix[], names: Names): string | undefined {
  const volume = volumeOf(prefixes)
  // A list of thousands of prefixes is not named by comparing it with thousands of lists.
  if (prefixes.length > 1000) return undefined
  const inside = new Set<string>(prefixes)
  const candidates = names.lists
    .filter((list) => list.prefixes.length <= prefixes.length + 1 && volumeOf(list.prefixes) <= volume)
    .filter(
      ({ prefixes: own }) => own.every((one) => inside.has(one)) || subtract(own, prefixes).length === 0,
    )
    .sort((a, b) => volumeOf(b.prefixes) - volumeOf(a.prefixes))
  const taken: string[] = []
  let rest = prefixes
  for (const { name, prefixes: own } of candidates) {
    if (rest.length === 0 || taken.length === joinedLists) break
    const left = subtract(rest, own)
    if (left.join() === rest.join() || (left.length > rest.length && left.length > shownPrefixes)) continue
    taken.push(name)
    rest = left
  }
  if (taken.length === 0 || rest.length > shownPrefixes) return undefined
  return [...taken, ...aggregate(rest)].join(', ')
}

function prefixList(prefixes: readonly Prefix[]): string {
  const shown = prefixes.slice(0, shownPrefixes).join(', ')
  return prefixes.length > shownPrefixes ? `${shown}, … (${prefixes.length} prefixes)` : shown
}

function placeText(places: readonly Place[], groupByMembers: ReadonlyMap<string, string>): string {
  const members = [...new Set(places.map((place) => (place.kind === 'guest' ? place.guest : place.host)))]
  const kinds = new Set(places.map((place) => place.kind))
  const what = kinds.size > 1 ? 'guests and hosts' : kinds.has('guest') ? 'guests' : 'hosts'
  const group = groupByMembers.get(keyOf(members))
  if (group !== undefined) return `group:${group} (${members.length} ${what})`
  const named = [
    ...new Set(
      places.map((place) => (place.kind === 'guest' ? `guest:${place.guest}` : `host:${place.host}`)),
    ),
  ]
  const shown = named.slice(0, shownPlaces).join(', ')
  return named.length > shownPlaces ? `${shown}, … (${members.length} ${what})` : shown
}
