import { type Chain, inboundChain, outboundChain } from './chain.ts'
import { drop } from './infrastructure.ts'
import type { Match, Rule, Target } from './rule.ts'

/** Chain that leads every packet to the outbound rules of the port it came in by, and comes back when there are none. */
export const fromChain = 'gw-from'

/** Chain that leads every bridged packet to the inbound rules of the port it leaves by, and comes back when there are none. */
export const toChain = 'gw-to'

/** Chains that drop what comes from, or goes to, ports of `bridge` that nobody declared. */
export function strangerChains(bridge: string): { readonly senders: string; readonly receivers: string } {
  return { senders: `gw-u-${bridge}`, receivers: `gw-v-${bridge}` }
}

/** Leads packets of `ports` from `fromChain` to their outbound chains. */
export function dispatchSenders(ports: readonly string[]): readonly Chain[] {
  return tree(fromChain, ports, {
    match: matchSender,
    leaf: (port) => ({ kind: 'goto', chain: outboundChain(port) }),
    tail: [],
  })
}

/** Leads packets to `ports` from `toChain` to their inbound chains. */
export function dispatchReceivers(ports: readonly string[]): readonly Chain[] {
  return tree(toChain, ports, {
    match: matchReceiver,
    leaf: (port) => ({ kind: 'goto', chain: inboundChain(port) }),
    tail: [],
  })
}

/** Returns for packets whose ports on `bridge` are among `ports`, drops the others. */
export function dropStrangers(bridge: string, ports: readonly string[]): readonly Chain[] {
  const names = strangerChains(bridge)
  const known = { leaf: (): Target => ({ kind: 'return' }), tail: [drop('gw:unmanaged')] }
  return [
    ...tree(names.senders, ports, { match: matchSender, ...known }),
    ...tree(names.receivers, ports, { match: matchReceiver, ...known }),
  ]
}

/** What a tree does with a port: how to recognise it (or, with a trailing `+`, a prefix), where to lead it, and with others. */
interface Dispatch {
  match(pattern: string): Match
  leaf(port: string): Target
  readonly tail: readonly Rule[]
}

/** More rules than this become a level of the tree. */
const flatLimit = 8

/**
 * A tree over the ports' names rather than a line: a packet walks some ten rules a level, not one per guest. A node is named
 * for the prefix it stands for, so a new neighbour changes one node. Names stay within 28 characters: 13 and a prefix of 14.
 */
function tree(root: string, ports: readonly string[], dispatch: Dispatch): readonly Chain[] {
  return node(root, [...new Set(ports)].sort())

  function node(name: string, members: readonly string[]): readonly Chain[] {
    if (members.length <= flatLimit) return [{ name, rules: [...leaves(members), ...dispatch.tail] }]
    const stemLength = commonPrefix(members).length
    const groups = [...groupBy(members, (port) => port.slice(0, stemLength + 1))]
    const rules = groups.flatMap(([prefix, list]) =>
      list.length === 1 ? leaves(list) : [rule(`${prefix}+`, { kind: 'goto', chain: `${root}-${prefix}` })],
    )
    const nodes = groups.flatMap(([prefix, list]) =>
      list.length === 1 ? [] : node(`${root}-${prefix}`, list),
    )
    return [{ name, rules: [...rules, ...dispatch.tail] }, ...nodes]
  }

  function leaves(list: readonly string[]): readonly Rule[] {
    return list.map((port) => rule(port, dispatch.leaf(port)))
  }

  function rule(pattern: string, target: Target): Rule {
    return { matches: [dispatch.match(pattern)], comment: 'gw:dispatch', target }
  }
}

function matchSender(pattern: string): Match {
  return { kind: 'physdev', in: pattern }
}

/** Without `bridged` the kernel warns that the port is known for bridged packets only (`physdev_mt_check`). */
function matchReceiver(pattern: string): Match {
  return { kind: 'physdev', out: pattern, bridged: true }
}

/** Of a sorted list, so its ends tell. */
function commonPrefix(sorted: readonly string[]): string {
  const [first = '', last = ''] = [sorted[0], sorted.at(-1)]
  let length = 0
  while (length < first.length && first[length] === last[length]) length++
  return first.slice(0, length)
}

function groupBy(
  list: readonly string[],
  keyOf: (one: string) => string,
): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>()
  for (const one of list) {
    const group = groups.get(keyOf(one))
    if (group === undefined) groups.set(keyOf(one), [one])
    else group.push(one)
  }
  return groups
}
