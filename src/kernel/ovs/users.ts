import type { Direction, HostModel, Nic, RuleId } from '../../model/model.ts'
import { formatFlow, formatKey } from './flow.ts'
import { type Membership, memberFlow, membershipOf } from './members.ts'

/** Rules behind the flows of list members, which serve all rules that name the list. Ports need not be there. */
export function memberUsers(host: HostModel): ReadonlyMap<string, readonly RuleId[]> {
  const users = new Map<string, readonly RuleId[]>()
  for (const bridge of host.bridges.filter(({ datapath }) => datapath === 'ovs')) {
    const nics = host.nics.filter((nic) => nic.bridge === bridge.name)
    for (const direction of ['inbound', 'outbound'] as const) {
      const membership = membershipOf(nics, direction)
      const idsOf = idsByBits(membership, idsByList(nics, direction))
      for (const [prefix, bits] of membership.bitsByPrefix)
        users.set(formatKey(bridge.name, formatFlow(memberFlow(prefix, bits, direction))), idsOf(bits))
    }
  }
  return users
}

/** Members of the same lists, usually thousands, share one answer. */
function idsByBits(
  { listByBit }: Membership,
  ids: ReadonlyMap<string, ReadonlySet<RuleId>>,
): (bits: readonly number[]) => readonly RuleId[] {
  const known = new Map<string, readonly RuleId[]>()
  return (bits) => {
    const key = bits.join()
    const found =
      known.get(key) ??
      [...new Set(bits.flatMap((bit) => [...(ids.get(listByBit.get(bit) ?? '') ?? [])]))].sort()
    known.set(key, found)
    return found
  }
}

function idsByList(nics: readonly Nic[], direction: Direction): ReadonlyMap<string, ReadonlySet<RuleId>> {
  const ids = new Map<string, Set<RuleId>>()
  for (const nic of nics)
    for (const { id, peer } of nic[direction].rules) {
      if (peer === 'any') continue
      const known = ids.get(peer.name)
      if (known === undefined) ids.set(peer.name, new Set([id]))
      else known.add(id)
    }
  return ids
}
