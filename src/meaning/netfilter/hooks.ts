import type { Hop } from '../simulation.ts'
import { type Chains, type Outcome, walkChain } from './chain.ts'
import type { Passage } from './passage.ts'

/** A chain that the kernel itself calls. */
export interface BaseChain {
  /** `ip`, `ip6`, `bridge`, `arp`, `netdev`; a chain of nft's `inet` stands in two. */
  readonly family: string
  readonly hook: string
  /** Of `netdev` chains: the devices they belong to. */
  readonly devices: readonly string[]
  readonly priority: number
  readonly type: 'filter' | 'nat' | 'route'
  readonly name: string
  readonly chains: Chains
  readonly policy: 'accept' | 'drop'
  /** Names the policy. */
  readonly policyHop: Hop
}

/** Where conntrack stands in `prerouting` and `output` (NF_IP_PRI_CONNTRACK). What comes before sees no connection. */
const conntrackPriority = -200

/** All base chains of a host, found by place. */
export type Hooks = (family: string, hook: string, device?: string) => readonly BaseChain[]

/**
 * Sorts base chains as the kernel calls them: ascending by priority, and of equals the later one first
 * (`nf_hook_entries_grow`), which tells only who takes the blame for a drop.
 */
export function hooksOf(chains: readonly BaseChain[]): Hooks {
  const byPlace = new Map<string, BaseChain[]>()
  for (const chain of chains)
    for (const device of chain.devices.length === 0 ? [''] : chain.devices) {
      const key = `${chain.family} ${chain.hook} ${device}`
      byPlace.set(key, [chain, ...(byPlace.get(key) ?? [])])
    }
  for (const list of byPlace.values()) list.sort((a, b) => a.priority - b.priority)
  return (family, hook, device = '') => byPlace.get(`${family} ${hook} ${device}`) ?? []
}

/**
 * Calls base chains one after the other: an accept of one is only its own. The last accept of a rule stands for all, or else the
 * last policy; `undefined` when there is no chain.
 */
export function runHooks(chains: readonly BaseChain[], passage: Passage, hops: Hop[]): Outcome | undefined {
  const startsUntracked = passage.place.hook === 'prerouting' || passage.place.hook === 'output'
  let accepted: Outcome | undefined
  for (const base of chains) {
    passage.isTracked = !startsUntracked || base.priority > conntrackPriority
    if (base.type === 'nat' && !isNatAsked(passage)) continue
    const outcome = runBase(base, passage, hops)
    if (outcome.kind === 'translate' && (base.hook === 'prerouting' || base.hook === 'output'))
      return { kind: 'unknown', why: 'NAT makes another packet of it', by: outcome.by }
    if (outcome.kind !== 'accept' && outcome.kind !== 'translate') return outcome
    accepted = preferred(accepted, outcome)
  }
  return accepted
}

/** Of two accepts the one that tells more: a rule's rather than a policy's, else the later. */
export function preferred(before: Outcome | undefined, after: Outcome | undefined): Outcome | undefined {
  if (after === undefined) return before
  const isLess = 'isPolicy' in after && after.isPolicy && before !== undefined
  return isLess && 'isPolicy' in before && !before.isPolicy ? before : after
}

function runBase(base: BaseChain, passage: Passage, hops: Hop[]): Outcome {
  const outcome = walkChain(base.chains, base.name, passage, hops)
  if (outcome !== undefined) return outcome
  hops.push(base.policyHop)
  return { kind: base.policy, by: base.policyHop, isPolicy: true }
}

/**
 * NAT rules see what may begin a connection. A later packet gets what its first one got, so a rule that matches both says the
 * same of it. Replies and ICMP errors are turned back without rules: the frame is taken for one that needs none of that.
 */
function isNatAsked({ tracking, isExempt, ip }: Passage): boolean {
  if (isExempt === true) return false
  switch (tracking) {
    case 'new':
    case 'request':
      return true
    case 'related':
      return ip?.packet.protocol !== 1 && ip?.packet.protocol !== 58
    case 'reply':
    case 'related-reply':
    case 'invalid':
    case 'untracked':
      return false
  }
}
