import { backends } from './backends.ts'
import type { HostWriter, WriteEffects } from './effects.ts'
import type { BeginResult, Transaction } from './host/transaction.ts'
import type { HostState } from './kernel/backend.ts'
import { diffHost } from './kernel/diff.ts'
import type { HostModel, RuleId, RuleOrigin } from './model/model.ts'
import type { HostOutcome } from './plan/outcome.ts'
import { type HostPlan, planHost } from './plan/plan.ts'
import { type HostRecord, type UsersByKind, formatRecord } from './plan/record.ts'
import { type HostView, isWorldError, kindProbes, viewHost } from './reconcile.ts'

/** Where a host shall go, and what its record will say of it. */
interface Target {
  readonly state: HostState
  readonly commit: string
  readonly rules: ReadonlyMap<RuleId, RuleOrigin>
  readonly users: UsersByKind
}

interface Move {
  readonly host: HostModel
  readonly effects: WriteEffects
  readonly windowSeconds: number
  readonly progress: (text: string) => void
}

/** What ends a move without confirmation: `reason`, and the way back. */
interface Begun {
  readonly outcome: HostOutcome
  readonly transaction: Transaction
  readonly target: Target
}

/**
 * Moves one host from `view`, exactly, to `target`: begin (which arms the way back on the host), read back over a new
 * connection, confirm; or see it go back. Every way that this ends is an outcome; only our own bugs throw.
 */
export async function moveHost(
  move: Move,
  {
    view,
    target,
    outcome,
  }: { readonly view: HostView; readonly target: Target; readonly outcome: HostOutcome },
): Promise<HostOutcome> {
  const plan = planHost(backends, { live: view.live, target: target.state, facts: view.facts })
  // Nothing to write, not even a newer commit in the record: a snapshot that equals the state would be no way back.
  if (plan.changes.size === 0 && isRecorded(view, target)) return { ...outcome, status: 'in-sync' }

  const transaction = transactionOf(move, view, plan)
  move.progress(`running ${plan.steps.length} steps`)
  const begun = { outcome: { ...outcome, snapshot: transaction.id }, transaction, target }
  const result = await begin(move, transaction)
  switch (result.kind) {
    case 'not-begun':
      return { ...outcome, status: result.isUnreachable ? 'unreachable' : 'refused', reason: result.reason }
    case 'refused':
      return { ...outcome, status: 'refused', reason: whyRefused(result.why) }
    case 'failed-step': {
      const command = plan.steps[result.index]?.argv.join(' ') ?? '?'
      const said = result.stderr.trim()
      return await goBack(
        move,
        begun,
        `step ${result.index + 1} (${command}) failed with code ${result.code}: ${said}`,
      )
    }
    case 'lost':
      return await settle(move, begun, result.reason)
    case 'moved':
      return await settle(move, begun, undefined)
  }
}

/** Is the state that this target would leave what the host's record says already? */
function isRecorded(view: HostView, target: Target): boolean {
  return view.record !== undefined && diffHost(view.record.state, target.state).size === 0
}

function transactionOf(move: Move, view: HostView, plan: HostPlan): Transaction {
  const before: HostRecord = {
    commit: view.record?.commit ?? '',
    at: move.effects.now(),
    by: move.effects.by,
    state: view.live,
    rules: view.record?.rules ?? new Map(),
    users: view.record?.users ?? new Map(),
  }
  return {
    id: move.effects.newId(),
    expected: view.fingerprint,
    probes: kindProbes,
    steps: plan.steps,
    undo: plan.undo,
    snapshot: formatRecord(before),
    windowSeconds: move.windowSeconds,
  }
}

type Beginning =
  | BeginResult
  /** No step ran, for certain. */
  | { readonly kind: 'not-begun'; readonly isUnreachable: boolean; readonly reason: string }
  /** The connection ended without an answer: nobody knows what ran. */
  | { readonly kind: 'lost'; readonly reason: string }

async function begin(move: Move, transaction: Transaction): Promise<Beginning> {
  let writer: HostWriter | undefined
  try {
    writer = await move.effects.open(move.host)
    return await writer.begin(transaction)
  } catch (error) {
    if (!isWorldError(error)) throw error
    if (writer === undefined) return { kind: 'not-begun', isUnreachable: true, reason: error.message }
    if (error.kind === 'tool') return { kind: 'not-begun', isUnreachable: false, reason: error.message }
    return { kind: 'lost', reason: error.message }
  } finally {
    writer?.close()
  }
}

function whyRefused(why: 'locked' | 'pending' | 'changed'): string {
  switch (why) {
    case 'locked':
      return 'another run holds the lock of this host: wait for it to end'
    case 'pending':
      return 'a transaction of another run is neither confirmed nor reverted: wait for its window to end'
    case 'changed':
      return 'the host changed between reading and writing: run again'
  }
}

/** Over a new connection: does the host hold what we wanted, and can we still reach it? Only then is it confirmed. */
async function settle(move: Move, begun: Begun, lost: string | undefined): Promise<HostOutcome> {
  const { outcome, transaction, target } = begun
  const wentBack = lost ?? 'the host went back by itself before we could confirm'
  let writer: HostWriter | undefined
  try {
    move.progress('reading back')
    writer = await move.effects.open(move.host)
    const view = await viewHost(move.host, writer)
    const left = diffHost(view.live, target.state)
    if (left.size > 0 || !view.pending.includes(transaction.id)) {
      const keys = [...left.values()].flat().map((change) => change.key)
      const unlike = `${keys.length} objects are not what was written (${keys.slice(0, 3).join('; ')})`
      return await goBack(move, begun, lost ?? (view.pending.includes(transaction.id) ? unlike : wentBack))
    }
    move.progress('confirming')
    const record = formatRecord({ ...target, at: move.effects.now(), by: move.effects.by })
    const answer = await writer.confirm(transaction.id, record)
    if (answer === 'confirmed') return { ...outcome, status: 'confirmed' }
    return await goBack(
      move,
      begun,
      answer === 'reverted' ? wentBack : (lost ?? `confirming ended with "${answer}"`),
    )
  } catch (error) {
    if (!isWorldError(error)) throw error
    return await waitForTheHost(move, begun, error.message)
  } finally {
    writer?.close()
  }
}

/** Something went wrong while we can still speak to the host: back now, and see how that ended. */
async function goBack(move: Move, begun: Begun, reason: string): Promise<HostOutcome> {
  move.progress('going back')
  const answer = await revert(move, begun.transaction.id)
  if (answer === 'lost') return await waitForTheHost(move, begun, reason)
  return ended(begun.outcome, answer, reason)
}

/** We cannot reach it: the host's own switch goes back at the end of the window. Wait for that, and look. */
async function waitForTheHost(move: Move, begun: Begun, reason: string): Promise<HostOutcome> {
  move.progress('out of reach: waiting until the host has gone back by itself')
  for (let attempt = 0; attempt < 5; attempt++) {
    await move.effects.sleep(attempt === 0 ? (begun.transaction.windowSeconds + 2) * 1000 : 2000)
    const answer = await revert(move, begun.transaction.id)
    if (answer !== 'lost') return ended(begun.outcome, answer, reason)
  }
  return { ...begun.outcome, status: 'unknown', reason: `${reason}; still out of reach: look at the host` }
}

type Ending = 'reverted' | 'confirmed' | 'revert-failed'

async function revert(move: Move, id: string): Promise<Ending | 'lost'> {
  let writer: HostWriter | undefined
  try {
    writer = await move.effects.open(move.host)
    const answer = await writer.revertNow(id)
    // Never begun there, and it cannot begin any more.
    return answer === 'unknown-id' ? 'reverted' : answer
  } catch (error) {
    if (!isWorldError(error)) throw error
    return 'lost'
  } finally {
    writer?.close()
  }
}

function ended(outcome: HostOutcome, ending: Ending, reason: string): HostOutcome {
  switch (ending) {
    case 'confirmed':
      return { ...outcome, status: 'confirmed' }
    case 'reverted':
      return { ...outcome, status: 'rolled-back', reason }
    case 'revert-failed':
      return { ...outcome, status: 'unknown', reason: `${reason}; going back failed too: look at the host` }
  }
}
