import { nameOfWord } from './field.ts'
import type { Flow } from './flow.ts'
import { type Bits, type Words, last } from './words.ts'

/** The flow that decides in a table, or why that cannot be told. */
export type Found =
  | { readonly kind: 'flow'; readonly flow: Flow }
  | { readonly kind: 'miss' }
  /** `flow` is the one that might decide. */
  | { readonly kind: 'unknown'; readonly why: string; readonly flow: Flow }

/** The flows of one table, ready for many packets. */
export interface Table {
  find(words: Words): Found
}

/** Flows that look at the same bits, by the hash of what they ask for: as Open vSwitch does it, one look for each kind of match. */
interface Group {
  readonly masks: readonly Bits[]
  readonly flowsByHash: ReadonlyMap<number, readonly Flow[]>
  readonly flows: readonly Flow[]
  readonly highestPriority: number
}

/** A flow that matches, or might: then `why` says what is not known. */
interface Candidate {
  readonly flow: Flow
  readonly why?: string
}

/** `flows` in any order. */
export function indexTable(flows: readonly Flow[]): Table {
  const groups = groupByMasks(flows.filter((flow) => !flow.match.isImpossible).map(doubtOddClauses(flows)))
  return { find: (words) => decide(candidates(groups, words, true), groups, words) }
}

/** Clauses of one conjunction that count its clauses differently: Open vSwitch believes the one that it happens to see first. */
function doubtOddClauses(flows: readonly Flow[]): (flow: Flow) => Flow {
  const clausesByKey = new Map<string, Set<number>>()
  for (const { priority, conjunctions } of flows)
    for (const { id, clauses } of conjunctions) {
      const key = `${priority} ${id}`
      clausesByKey.set(key, (clausesByKey.get(key) ?? new Set()).add(clauses))
    }
  return (flow) => {
    const odd = flow.conjunctions.find(
      ({ id }) => (clausesByKey.get(`${flow.priority} ${id}`)?.size ?? 0) > 1,
    )
    if (odd === undefined) return flow
    const unread = [...flow.match.unread, `of conjunction ${odd.id} with different numbers of clauses`]
    return { ...flow, match: { ...flow.match, unread } }
  }
}

function groupByMasks(flows: readonly Flow[]): readonly Group[] {
  const byMasks = new Map<string, Flow[]>()
  for (const flow of flows) {
    const key = flow.match.bits.map(({ word, mask }) => `${word}:${mask}`).join()
    const group = byMasks.get(key)
    if (group === undefined) byMasks.set(key, [flow])
    else group.push(flow)
  }
  return [...byMasks.values()].map(groupOf).sort((a, b) => b.highestPriority - a.highestPriority)
}

function groupOf(unsorted: readonly Flow[]): Group {
  const flows = [...unsorted].sort((a, b) => b.priority - a.priority)
  const masks = flows[0]?.match.bits ?? []
  const flowsByHash = new Map<number, Flow[]>()
  for (const flow of flows) {
    const hash = flow.match.bits.reduce((sum, { value }) => mix(sum, value), 0)
    const same = flowsByHash.get(hash)
    if (same === undefined) flowsByHash.set(hash, [flow])
    else same.push(flow)
  }
  return { masks, flowsByHash, flows, highestPriority: flows[0]?.priority ?? -1 }
}

function mix(sum: number, value: number): number {
  const mixed = Math.imul(sum ^ value, 0x9e3779b1)
  return mixed ^ (mixed >>> 15)
}

/** Every flow that may decide: those that match for certain below the highest such one (no clause of a conjunction) are left out. */
function candidates(groups: readonly Group[], words: Words, withConjunctions: boolean): Candidate[] {
  const found: Candidate[] = []
  let certain = -1
  for (const group of groups) {
    if (group.highestPriority < certain) break
    const isKnown = group.masks.every(({ word, mask }) => ((words.unknown[word] ?? 0) & mask) === 0)
    for (const flow of isKnown ? sameHash(group, words) : group.flows) {
      if (flow.priority < certain) break
      const isClause = flow.conjunctions.length > 0
      if (isClause && !withConjunctions) continue
      const why = test(flow, words)
      if (why === 'differs') continue
      if (why === undefined) {
        found.push({ flow })
        if (!isClause) certain = flow.priority
      } else found.push({ flow, why })
    }
  }
  return found.filter(({ flow }) => flow.priority >= certain)
}

function sameHash({ masks, flowsByHash }: Group, { value }: Words): readonly Flow[] {
  let hash = 0
  for (const { word, mask } of masks) hash = mix(hash, ((value[word] ?? 0) & mask) >>> 0)
  return flowsByHash.get(hash) ?? []
}

/** `undefined`: it matches. Else `differs`, or what is not known. */
function test({ match }: Flow, { value, unknown }: Words): string | undefined {
  let why: string | undefined
  for (const { word, mask, value: wanted } of match.bits) {
    const missing = (unknown[word] ?? 0) & mask
    if ((((value[word] ?? 0) ^ wanted) & mask & ~missing) !== 0) return 'differs'
    if (missing !== 0) why ??= `${nameOfWord(word)} of the packet is not known`
  }
  const [unread] = match.unread
  return unread === undefined ? why : `match ${unread} is not understood`
}

/** Goes down the priorities: at each, a flow of its own comes before a conjunction. See `classifier_lookup__` of Open vSwitch. */
function decide(found: readonly Candidate[], groups: readonly Group[], words: Words): Found {
  const priorities = [...new Set(found.map(({ flow }) => flow.priority))].sort((a, b) => b - a)
  for (const priority of priorities) {
    const level = found.filter(({ flow }) => flow.priority === priority)
    const decided =
      decideAmong(level.filter(({ flow }) => flow.conjunctions.length === 0)) ??
      decideConjunction(
        level.filter(({ flow }) => flow.conjunctions.length > 0),
        groups,
        words,
      )
    if (decided !== undefined) return decided
  }
  return { kind: 'miss' }
}

/** Flows of one priority. OpenFlow does not say which of several wins: it must not matter. `undefined` when there is none. */
function decideAmong(level: readonly Candidate[]): Found | undefined {
  const one = level.find(({ why }) => why === undefined) ?? level[0]
  if (one === undefined) return undefined
  if (one.why !== undefined) return { kind: 'unknown', why: one.why, flow: one.flow }
  const other = level.find(({ flow }) => flow.actionsText !== one.flow.actionsText)
  if (other === undefined) return { kind: 'flow', flow: one.flow }
  const why = `two flows of priority ${one.flow.priority} match and differ: also "${one.flow.hop.line.slice(0, 200)}"`
  return { kind: 'unknown', why: other.why ?? why, flow: other.flow }
}

/** `level` are the clauses of one priority that match, or may. `undefined` when no conjunction is whole. */
function decideConjunction(
  level: readonly Candidate[],
  groups: readonly Group[],
  words: Words,
): Found | undefined {
  if (level.length === 0) return undefined
  const certain = wholeIds(level.filter(({ why }) => why === undefined))
  const possible = wholeIds(level)
  const [flow] = level.map((candidate) => candidate.flow)
  if (flow === undefined) return undefined
  if (possible.length > certain.length) {
    const doubtful = level.find(({ why }) => why !== undefined)
    return { kind: 'unknown', why: doubtful?.why ?? '', flow: doubtful?.flow ?? flow }
  }
  const results = certain
    .map((id) => findWithId(id, groups, words))
    .filter((result) => result.kind !== 'miss')
  const [one] = results
  const other = results.find(
    (result) =>
      result.kind !== 'flow' || one?.kind !== 'flow' || result.flow.actionsText !== one.flow.actionsText,
  )
  if (other === undefined || other.kind === 'unknown') return other ?? one
  const why = `two conjunctions of priority ${flow.priority} are whole and differ`
  return { kind: 'unknown', why, flow: other.kind === 'flow' ? other.flow : flow }
}

/** Conjunctions with a match in each of their clauses. Open vSwitch asks for as many flows as there are clauses. */
function wholeIds(level: readonly Candidate[]): readonly number[] {
  const clausesById = new Map<number, { readonly seen: Set<number>; readonly clauses: number }>()
  for (const { id, clause, clauses } of level.flatMap(({ flow }) => flow.conjunctions)) {
    if (clauses > level.length) continue
    const known = clausesById.get(id)
    if (known === undefined) clausesById.set(id, { seen: new Set([clause]), clauses })
    else known.seen.add(clause)
  }
  return [...clausesById].filter(([, { seen, clauses }]) => seen.size >= clauses).map(([id]) => id)
}

/** Looks again with `conj_id` set, without conjunctions. See ovs-fields(7), `conj_id`. */
function findWithId(id: number, groups: readonly Group[], words: Words): Found {
  const word = last('conjunction')
  words.value[word] = id
  const found = decideAmong(highest(candidates(groups, words, false)))
  words.value[word] = 0
  return found ?? { kind: 'miss' }
}

function highest(found: readonly Candidate[]): readonly Candidate[] {
  const priority = Math.max(...found.map(({ flow }) => flow.priority))
  return found.filter(({ flow }) => flow.priority === priority)
}
