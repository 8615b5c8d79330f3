import type { HostModel } from '../../model/model.ts'
import type { Backend, State } from '../backend.ts'
import { linuxNics } from '../linux-nics.ts'
import { antispoofRules } from './antispoof.ts'
import { stepsFor, undoFor } from './steps.ts'
import { chainKey, formatElement, liveTable, mapHeader, mapKey, probe, tableKey } from './table.ts'

/**
 * The table `bridge gitwall`: who the guests of Linux bridges may claim to be. It stands before br_netfilter and its conntrack,
 * and does not depend on `bridge-nf-call-iptables`. Keys: `table`, `map from`, `chain <name>`. Text: the lines of the object as
 * `nft -s list table` prints them.
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
    ['chain prerouting', baseChain('prerouting', 'dstnat', 'iifname vmap @from')],
    ['chain input', baseChain('input', '-300', `${linkLocalFrames} iifname vmap @from`)],
    ...nics.map((nic) => [chainKey(nic.port), antispoofRules(nic).join('\n')] as const),
  ])
}

/** Frames for bridges themselves (IEEE 802.1D: spanning tree, LACP, …), which the bridge takes in without `prerouting`. */
const linkLocalFrames = 'ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00'

/** `dstnat` is how nft spells -300 at the bridge's prerouting hook. Both stand before br_netfilter, which has 0. */
function baseChain(hook: string, priority: string, rule: string): string {
  return `type filter hook ${hook} priority ${priority}; policy accept;\n${rule}`
}
