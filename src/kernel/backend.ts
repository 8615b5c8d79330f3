import type { HostModel, RuleId } from '../model/model.ts'
import type { HostFacts } from './facts.ts'

/** The kinds of kernel objects, in the order in which they are written. */
export type KindName = 'ipset' | 'nft' | 'iptables' | 'ovs'

/** The objects we own of one kind on one host: canonical text by key. Equal text means equal object. */
export type State = ReadonlyMap<string, string>

/** Every kind's state on one host. A snapshot, a desired state and a live state are the same type. */
export type HostState = ReadonlyMap<KindName, State>

export type Change =
  | { readonly op: 'add'; readonly key: string; readonly after: string }
  | { readonly op: 'remove'; readonly key: string; readonly before: string }
  | { readonly op: 'replace'; readonly key: string; readonly before: string; readonly after: string }

/**
 * When a step runs, seen over all kinds of a host: `widen` (things others will name, such as sets and their new members),
 * `switch` (rules and flows, atomically), `narrow` (what nothing names any more), `cleanup` (destroying it).
 */
export type Phase = 'widen' | 'switch' | 'narrow' | 'cleanup'

/** One run of one tool, atomic where the tool is. Every prefix of its lines is harmless. */
export interface Step {
  readonly phase: Phase
  readonly kind: KindName
  /** First word is a tool of the allow-list in `host/transaction.sh`; no word has white space or shell characters. */
  readonly argv: readonly string[]
  readonly stdin: string
  /** A failure of this step does not fail the move; the read-back decides. Only for undo and cleanup. */
  readonly mayFail?: boolean
}

/** One kind of kernel object: how to want it, see it and write it. All of it pure. */
export interface Backend {
  readonly name: KindName
  /**
   * POSIX shell text that prints the live state on stdout and changes nothing. Its output is deterministic for an unchanged
   * kernel (no counters, no dates), so that its digest is a fingerprint. A missing tool prints nothing and exits 0; a tool
   * that fails exits non-zero. It contains no data.
   */
  readonly probe: string
  /** The live state, only what is ours. What is ours but unreadable is kept as raw text. Throws `UnreadableOutput` when the output is not the tool's. */
  live(output: string, facts: HostFacts): State
  /** The desired state. A port that the host does not have yet gets no object; see `absentPorts`. */
  desired(host: HostModel, facts: HostFacts): State
  /** The moves for `changes`: minimal, in any phase order that the caller keeps. */
  steps(changes: readonly Change[], facts: HostFacts): readonly Step[]
  /**
   * The way back, from wherever a run of `steps(changes)` stopped: sets every key of `changes` to its `before` whatever it
   * is now. Idempotent. Uses absolute forms (whole chains, whole sets, strict deletes), so that nothing must be read first.
   */
  undo(changes: readonly Change[], facts: HostFacts): readonly Step[]
  /** The rule ids that this kind's text carries (comment, cookie), in order, each once. */
  ruleIds(text: string): readonly RuleId[]
  /** For objects whose text carries none (sets): key → ids of the rules that name it. */
  users(host: HostModel): ReadonlyMap<string, readonly RuleId[]>
}

/** A tool printed something that is not its format: never read it as "nothing there". */
export class UnreadableOutput extends Error {
  override readonly name = 'UnreadableOutput'
}
