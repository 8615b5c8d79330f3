import type { Hop } from '../simulation.ts'
import type { Passage } from './passage.ts'
import type { Doubt, Truth } from './truth.ts'

/** Is it such a packet? */
export type Test = (passage: Passage) => Truth

/** What a rule says of the packets it matches. */
export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' | 'continue' }
  | { readonly kind: 'reject'; readonly how: string }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  /** NAT: the packet goes on as another. */
  | { readonly kind: 'translate' }
  /** It decides, and we cannot say how. */
  | { readonly kind: 'unknown'; readonly why: string }

/** The parts of a rule, in the order in which the kernel runs them. */
export type Item =
  | { readonly kind: 'test'; readonly test: Test }
  /** Changes what later rules see. With a doubt it may have happened or not. */
  | { readonly kind: 'effect'; readonly apply: (passage: Passage, unsure: Doubt | undefined) => void }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  /** A verdict by value; without one the rule does not match. */
  | { readonly kind: 'lookup'; readonly find: (passage: Passage) => Verdict | Doubt | undefined }

export interface Rule {
  readonly hop: Hop
  readonly items: readonly Item[]
}

/** The chains of one table by name. */
export type Chains = ReadonlyMap<string, readonly Rule[]>

/** How a packet leaves a hook's chain. */
export type Outcome =
  | { readonly kind: 'accept' | 'drop' | 'translate'; readonly by: Hop; readonly isPolicy: boolean }
  | { readonly kind: 'reject'; readonly how: string; readonly by: Hop }
  | { readonly kind: 'unknown'; readonly why: string; readonly by: Hop }

/** What a rule leaves to its chain: go on with the next rule, leave the chain, or this. */
type Step = 'next' | 'return' | Outcome

/** The kernel allows 16 (nft) and takes no loops; text that was changed may have one. */
const depthLimit = 64

/** Rules tried in one chain of a hook. More means a loop, or a tree of jumps that nobody wrote. */
const ruleLimit = 1_000_000

interface Walk {
  readonly passage: Passage
  readonly chains: Chains
  readonly hops: Hop[]
  rulesLeft: number
}

/** Goes through a chain and all it leads to. `undefined`: it ended without a verdict. Lines that surely match go into `hops`. */
export function walkChain(chains: Chains, name: string, passage: Passage, hops: Hop[]): Outcome | undefined {
  return walk({ passage, chains, hops, rulesLeft: ruleLimit }, name, { depth: 0, unsure: undefined })
}

/** `unsure`: it is not sure that the packet comes here at all. Then a verdict here is unknown, and no verdict is none. */
interface Way {
  readonly depth: number
  readonly unsure: Doubt | undefined
}

function walk(state: Walk, name: string, way: Way): Outcome | undefined {
  for (const rule of state.chains.get(name) ?? []) {
    if (state.rulesLeft-- <= 0) return { kind: 'unknown', why: 'too many rules, or a loop', by: rule.hop }
    const step = runRule(state, rule, way)
    if (step === 'return') return undefined
    if (step !== 'next') return step
  }
  return undefined
}

function runRule(state: Walk, rule: Rule, way: Way): Step {
  let unsure: Doubt | undefined
  for (const item of rule.items) {
    switch (item.kind) {
      case 'test': {
        const truth = item.test(state.passage)
        if (truth === false) return 'next'
        if (truth !== true) unsure ??= truth
        break
      }
      case 'effect':
        item.apply(state.passage, unsure ?? way.unsure)
        break
      case 'verdict':
        return decide(state, rule.hop, item.verdict, { ...way, own: unsure })
      case 'lookup': {
        const found = item.find(state.passage)
        if (found === undefined) return 'next'
        const verdict: Verdict = 'why' in found && !('kind' in found) ? { kind: 'unknown', ...found } : found
        return decide(state, rule.hop, verdict, { ...way, own: unsure })
      }
    }
  }
  if (unsure === undefined && way.unsure === undefined) state.hops.push(rule.hop)
  return 'next'
}

/** `own`: it is not sure that the rule matches. */
function decide(
  state: Walk,
  by: Hop,
  verdict: Verdict,
  way: Way & { readonly own: Doubt | undefined },
): Step {
  const unsure = way.own ?? way.unsure
  if (unsure === undefined) state.hops.push(by)
  switch (verdict.kind) {
    case 'continue':
      return 'next'
    case 'return':
      return way.own === undefined ? 'return' : { kind: 'unknown', why: way.own.why, by }
    case 'jump':
      return follow(state, by, verdict.chain, { ...way, unsure }) ?? 'next'
    case 'goto':
      if (way.own !== undefined) return { kind: 'unknown', why: way.own.why, by }
      return follow(state, by, verdict.chain, way) ?? 'return'
    case 'unknown':
      return { kind: 'unknown', why: unsure?.why ?? verdict.why, by }
    case 'accept':
    case 'drop':
    case 'translate':
      return unsure === undefined
        ? { kind: verdict.kind, by, isPolicy: false }
        : { kind: 'unknown', why: unsure.why, by }
    case 'reject':
      return unsure === undefined
        ? { kind: 'reject', how: verdict.how, by }
        : { kind: 'unknown', why: unsure.why, by }
  }
}

function follow(state: Walk, by: Hop, chain: string, way: Way): Outcome | undefined {
  if (way.depth >= depthLimit) return { kind: 'unknown', why: `jumps more than ${depthLimit} deep`, by }
  if (!state.chains.has(chain)) return { kind: 'unknown', why: `no chain "${chain}"`, by }
  const outcome = walk(state, chain, { depth: way.depth + 1, unsure: way.unsure })
  if (outcome === undefined || way.unsure === undefined) return outcome
  return { kind: 'unknown', why: way.unsure.why, by }
}
