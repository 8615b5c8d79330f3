import type { HostModel } from '../../model/model.ts'
import type { Backend, State } from '../backend.ts'
import { linuxNics } from '../linux-nics.ts'
import { antispoofRules } from './antispoof.ts'
import { stepsFor, undoFor } from './steps.ts'
import { chainKey, formatElement, liveTable, mapHeader, mapKey, probe, tableKey } from './table.ts'

/**
 * The table `bridge gitwall`: who the guests of Linux bridges may claim to be. It stands before br_netfilter and its conntrack,
 * and does not depend on `bridge-nf-call-iptables`. Keys: `table`, `map from`, `chain <name>`. Text: the lines of the object as
 * `nft -s -p list table` prints them.
 */
export const nft: Backend = {
  name: 'nft',
  probe,
  live: liveTable,
  desired: desiredTable,
  steps: stepsFor,
  undo: undoFor,
  ruleIds: () => [],
  users: () => new Map(),
}

/** A map from port to chain rather than a list of rules: finding a port's chain costs the same for one guest and for 500. */
function desiredTable(host: HostModel): State {
  const nics = linuxNics(host).filter(({ antispoof }) => antispoof)
  if (nics.length === 0) return new Map()
  return new Map([
    [tableKey, ''],
    [mapKey, [mapHeader, ...nics.map(({ port }) => formatElement(port)).sort()].join('\n')],
    ['chain prerouting', prerouting],
    ...nics.map((nic) => [chainKey(nic.port), antispoofRules(nic).join('\n')] as const),
  ])
}

/**
 * `dstnat` is how nft spells -300 at this hook; br_netfilter has 0. Frames for bridges themselves (01:80:c2:00:00:0x: spanning
 * tree, LLDP, …) do not come here, as they go nowhere; a guest that speaks spanning tree is a matter of bridge(8), `guard`.
 */
const prerouting = 'type filter hook prerouting priority dstnat; policy accept;\niifname vmap @from'
