import type { HostModel, Model, Ruleset } from '../model/model.ts'
import {
  type Address,
  type Family,
  addressBits,
  addressValue,
  familyOf,
  formatAddress,
} from '../net/address.ts'
import type { Prefix } from '../net/prefix.ts'
import { hypervisorAt, nicAt } from './policy.ts'
import { type Span, spansOf } from './space-addresses.ts'

/** From `first` to the next cell every address is alike to the policy. */
interface Cell {
  readonly first: bigint
  /** Cells of one kind are alike, too: in the same lists, under the same rules. */
  readonly kind: string
}

/** More lists than this hold one address: it is not compared with others, only tried. */
const comparedLists = 1000

/**
 * Tells, for the peers of a test, which addresses must be tried so that the answer holds for all: two of every kind that the policy
 * tells apart (two, since nobody talks to himself). Addresses are alike when every list of the model holds both or neither, and
 * the same rules stand before them.
 */
export function representativesIn(model: Model): (prefixes: readonly Prefix[]) => readonly Address[] {
  const rulesetIds = new Map<Ruleset | HostModel, number>()
  const idOf = (one: Ruleset | HostModel): number => {
    const id = rulesetIds.get(one) ?? rulesetIds.size
    rulesetIds.set(one, id)
    return id
  }
  const lists = listsOf(model)
  const cells = { 4: cellsOf(4), 6: cellsOf(6) }
  return (prefixes) => {
    const spans = spansOf(prefixes)
    return ([4, 6] as const).flatMap((family) => pick(spans[family], cells[family], family))
  }

  function cellsOf(family: Family): readonly Cell[] {
    const events = lists.flatMap((list, index) =>
      spansOf(list)[family].flatMap((span) => [
        { at: span.first, index },
        { at: span.last + 1n, index },
      ]),
    )
    const own = ownAddresses(model, family)
    const edges = [...own].flatMap(([at]) => [
      { at, index: -1 },
      { at: at + 1n, index: -1 },
    ])
    const limit = 1n << BigInt(addressBits(family))
    const sorted = [{ at: 0n, index: -1 }, ...events, ...edges].sort((a, b) =>
      a.at < b.at ? -1 : a.at > b.at ? 1 : 0,
    )
    const holding = new Set<number>()
    const found: Cell[] = []
    for (const [position, { at, index }] of sorted.entries()) {
      if (index >= 0 && !holding.delete(index)) holding.add(index)
      if (at < limit && sorted[position + 1]?.at !== at)
        found.push({ first: at, kind: `${listsKey(holding, at)} ${ownKey(own.get(at))}` })
    }
    return found
  }

  function ownKey(address: Address | undefined): string {
    if (address === undefined) return ''
    const nic = nicAt(model, address)
    if (nic !== undefined) return `${idOf(nic.inbound)} ${idOf(nic.outbound)}`
    const host = hypervisorAt(model, address)
    return host === undefined ? '' : `host ${idOf(host)}`
  }
}

function listsKey(holding: ReadonlySet<number>, at: bigint): string {
  return holding.size > comparedLists ? `at ${at}` : [...holding].sort((a, b) => a - b).join()
}

/** Every list of the model once; lists with equal members are one. */
function listsOf(model: Model): readonly (readonly Prefix[])[] {
  const lists = new Set(
    model.hosts.flatMap((host) => [host.management, ...host.lists.map((list) => list.prefixes)]),
  )
  return [...new Map([...lists].map((list) => [list.join(), list])).values()]
}

function ownAddresses(model: Model, family: Family): ReadonlyMap<bigint, Address> {
  const own = new Map<bigint, Address>()
  for (const host of model.hosts) {
    for (const nic of host.nics)
      for (const address of nic.addresses)
        if (familyOf(address) === family) own.set(addressValue(address), address)
    const address = host.connection.host as Address | undefined
    if (address !== undefined && /^[0-9.]+$|:/.test(address) && familyOf(address) === family)
      own.set(addressValue(address), address)
  }
  return own
}

/** The first two addresses of every kind in the spans. */
function pick(spans: readonly Span[], cells: readonly Cell[], family: Family): readonly Address[] {
  const countByKind = new Map<string, number>()
  const picked: Address[] = []
  for (const span of spans)
    for (let index = cellAt(cells, span.first); index < cells.length; index++) {
      const { first, kind } = cells[index] as Cell
      if (first > span.last) break
      const from = first > span.first ? first : span.first
      const next = cells[index + 1]?.first ?? 1n << BigInt(addressBits(family))
      for (const value of [from, from + 1n]) {
        const count = countByKind.get(kind) ?? 0
        if (value > span.last || value >= next || count >= 2) break
        countByKind.set(kind, count + 1)
        picked.push(formatAddress(value, family))
      }
    }
  return picked
}

/** Index of the cell that holds the address; the first cell begins at 0. */
function cellAt(cells: readonly Cell[], value: bigint): number {
  let [low, high] = [0, cells.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((cells[middle] as Cell).first <= value) low = middle
    else high = middle - 1
  }
  return low
}
