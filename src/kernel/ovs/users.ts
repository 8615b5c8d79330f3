import type { Direction, HostModel, Nic, RuleId } from '../../model/model.ts'
import { formatFlow, formatKey } from './flow.ts'
import { memberFlow, membershipOf } from './members.ts'

/** Rules behind the flows of list members, which serve all rules that name the list. Ports need not be there. */
export function memberUsers(host: HostModel): ReadonlyMap<string, readonly RuleId[]> {
  const users = new Map<string, readonly RuleId[]>()
  for (const bridge of host.bridges.filter(({ datapath }) => datapath === 'ovs')) {
    const nics = host.nics.filter((nic) => nic.bridge === bridge.name)
    for (const direction of ['inbound', 'outbound'] as const) {
      const membership = membershipOf(nics, direction)
      const idsByBit = new Map(
        [...membership.bitByList].map(([list, bit]) => [bit, idsNaming(list, nics, direction)]),
      )
      for (const [prefix, bits] of membership.bitsByPrefix) {
        const key = formatKey(bridge.name, formatFlow(memberFlow(prefix, bits, direction)))
        users.set(key, [...new Set(bits.flatMap((bit) => idsByBit.get(bit) ?? []))].sort())
      }
    }
  }
  return users
}

function idsNaming(list: string, nics: readonly Nic[], direction: Direction): readonly RuleId[] {
  return nics
    .flatMap((nic) => nic[direction].rules)
    .filter(({ peer }) => peer !== 'any' && peer.name === list)
    .map((rule) => rule.id)
}
