import { type Prefix, aggregate } from '../net/prefix.ts'
import { readPrefixes } from './address-text.ts'
import { failTwice } from './collect.ts'
import type { Problem, Source } from './problem.ts'
import type { BridgeDocument, HypervisorDocument } from './repo.ts'
import { type Entry, type Node, child, entriesOf, itemsOf, textOf } from './yaml-node.ts'

/** Reads the variable `gitwall` of a hypervisor. `inherited` is its `gitwall_management`, which adds to its own. */
export function readHypervisor(
  role: Entry,
  inherited: Node | undefined,
  problems: Problem[],
): HypervisorDocument {
  const sources = [...itemsOf(child(role.value, 'management')), ...itemsOf(inherited)]
  return {
    kind: 'hypervisor',
    bridges: readBridges(child(role.value, 'bridges'), problems),
    management: managementOf(sources, problems),
    source: role.at,
  }
}

function managementOf(sources: readonly Node[], problems: Problem[]): readonly Prefix[] {
  return aggregate(sources.flatMap((node) => readPrefixes(node, problems) ?? []))
}

function readBridges(node: Node | undefined, problems: Problem[]): readonly BridgeDocument[] {
  const claimed = new Map<string, Source>()
  return entriesOf(node).flatMap((entry) => {
    const datapath = textOf(child(entry.value, 'datapath'))
    if (datapath !== 'ovs' && datapath !== 'linux') return []
    const uplinks = itemsOf(child(entry.value, 'uplinks')).flatMap((port) =>
      readUplink(port, claimed, problems),
    )
    const unmanaged = textOf(child(entry.value, 'unmanaged')) === 'drop' ? 'drop' : 'leave'
    return [{ name: entry.key, datapath, uplinks, unmanaged, source: entry.at }]
  })
}

/** A port belongs to one bridge. */
function readUplink(node: Node, claimed: Map<string, Source>, problems: Problem[]): readonly string[] {
  const name = textOf(node)
  if (name === undefined) return []
  const first = claimed.get(name)
  if (first !== undefined) failTwice(problems, 'port', name, node.at, first)
  claimed.set(name, node.at)
  return [name]
}
