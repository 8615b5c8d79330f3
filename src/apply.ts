import { backends } from './backends.ts'
import type { BeginResult, HostWriter, Transaction, WriteEffects } from './effects.ts'
import type { HostState } from './kernel/backend.ts'
import { diffHost } from './kernel/diff.ts'
import type { HostModel, RuleId, RuleOrigin } from './model/model.ts'
import type { HostOutcome, Report } from './plan/outcome.ts'
import { type HostPlan, planHost } from './plan/plan.ts'
import { type HostRecord, type UsersByKind, formatRecord, parseRecord } from './plan/record.ts'
import {
  type HostView,
  type Run,
  desiredState,
  emptyOutcome,
  isWorldError,
  kindProbes,
  planOutcome,
  usersOf,
  viewHost,
  withHost,
} from './reconcile.ts'

/** How long a host waits for our word before it goes back by itself. */
export interface ApplyOptions {
  readonly windowSeconds: number
}

/** Where a host shall go, and what will be said of it afterwards. */
interface Target {
  readonly state: HostState
  readonly commit: string
  readonly rules: ReadonlyMap<RuleId, RuleOrigin>
  readonly users: UsersByKind
}

/**
 * `apply`: preflight of every host before the first write; then each host moves by itself. A host whose guards refuse stops
 * the run before anything is written anywhere.
 */
export async function applyFleet(run: Run, effects: WriteEffects, options: ApplyOptions): Promise<Report> {
  const planned = await effects.eachHost(run.hosts, (host) =>
    withHost(host, effects, async (reader) => planOutcome(run.model, host, await viewHost(host, reader))),
  )
  const isRefused = planned.some((outcome) => outcome.status === 'refused')
  const byName = new Map(planned.map((outcome) => [outcome.host, outcome]))
  const outcomes = isRefused
    ? planned
    : await effects.eachHost(run.hosts, async (host, progress) => {
        const outcome = byName.get(host.name) ?? emptyOutcome(host)
        if (outcome.status !== 'planned' && outcome.status !== 'in-sync') return outcome
        return withHost(host, effects, (writer) =>
          moveHost({ run, host, writer, effects, options, progress }, (view) => ({
            state: desiredState(host, view.facts),
            commit: run.commit,
            rules: rulesOfHost(run, host),
            users: usersOf(host),
          })),
        )
      })
  return { command: 'apply', commit: run.commit, outcomes, rules: run.model.rules, problems: [] }
}

/** `rollback`: one host back to a snapshot, by the same move. Without `snapshot`, to the newest one. */
export async function rollbackHost(
  run: Run,
  host: HostModel,
  effects: WriteEffects,
  options: ApplyOptions & { readonly snapshot?: string },
): Promise<Report> {
  let rules: ReadonlyMap<RuleId, RuleOrigin> = run.model.rules
  const outcomes = await effects.eachHost([host], (_, progress) =>
    withHost(host, effects, async (writer) => {
      const entries = await writer.snapshots()
      const id = options.snapshot ?? entries[0]?.id
      const text = id === undefined ? undefined : await writer.snapshot(id)
      const record = text === undefined ? undefined : parseRecord(text)
      if (record === undefined) {
        const known = entries.map((entry) => entry.id).slice(0, 5)
        const reason =
          id === undefined
            ? 'no snapshot is kept on this host: nothing was ever changed here'
            : `snapshot "${id}" does not exist there or cannot be read; newest: ${known.join(', ') || 'none'}`
        return { ...emptyOutcome(host), status: 'refused', reason }
      }
      rules = new Map([...rules, ...record.rules])
      return moveHost({ run, host, writer, effects, options, progress }, () => record)
    }),
  )
  return { command: 'rollback', commit: run.commit, outcomes, rules, problems: [] }
}

interface Move {
  readonly run: Run
  readonly host: HostModel
  readonly writer: HostWriter
  readonly effects: WriteEffects
  readonly options: ApplyOptions
  readonly progress: (text: string) => void
}

/** One host: read, plan, begin (which arms the way back), read back over a new connection, confirm or go back. */
async function moveHost(move: Move, targetOf: (view: HostView) => Target): Promise<HostOutcome> {
  const { host, writer, progress } = move
  progress('reading')
  const view = await viewHost(host, writer)
  const target = targetOf(view)
  const plan = planHost(backends, { live: view.live, target: target.state, facts: view.facts })
  const shown = { ...planOutcome(move.run.model, host, view), changes: plan.changes }
  const { plan: _, ...outcome } = shown
  if (outcome.status === 'refused') return outcome
  if (plan.changes.size === 0 && isRecorded(view, target)) return { ...outcome, status: 'in-sync' }

  const transaction = transactionOf(move, view, plan)
  progress(`${plan.steps.length} steps`)
  const begun = await beginOrLose(writer, transaction)
  if (begun.kind === 'refused') return { ...outcome, status: 'refused', reason: whyRefused(begun.why) }
  if (begun.kind === 'failed-step') {
    const reason = `step ${begun.index + 1} (${plan.steps[begun.index]?.argv.join(' ') ?? '?'}) failed with code ${begun.code}: ${begun.stderr.trim()}`
    return goBack(move, { ...outcome, snapshot: transaction.id, reason }, transaction.id)
  }
  const reason = begun.kind === 'lost' ? 'the connection was lost while the steps ran' : undefined
  return settle(
    move,
    { ...outcome, snapshot: transaction.id, ...(reason === undefined ? {} : { reason }) },
    { transaction, target },
  )
}

/** Is the state that this target would leave already what the host's record says? Then nothing is written, not even a newer commit. */
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
    windowSeconds: move.options.windowSeconds,
  }
}

/** A dropped connection says nothing of what ran: the host must be asked again. */
async function beginOrLose(
  writer: HostWriter,
  transaction: Transaction,
): Promise<BeginResult | { readonly kind: 'lost' }> {
  try {
    return await writer.begin(transaction)
  } catch (error) {
    if (isWorldError(error) && (error.kind === 'lost' || error.kind === 'timeout')) return { kind: 'lost' }
    throw error
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
async function settle(
  move: Move,
  outcome: HostOutcome,
  { transaction, target }: { readonly transaction: Transaction; readonly target: Target },
): Promise<HostOutcome> {
  let writer: HostWriter | undefined
  try {
    move.progress('reading back')
    writer = await move.effects.open(move.host)
    const view = await viewHost(move.host, writer)
    if (!view.pending.includes(transaction.id))
      return {
        ...outcome,
        status: 'rolled-back',
        reason: outcome.reason ?? 'the host went back by itself before we could confirm',
      }
    const left = diffHost(view.live, target.state)
    if (left.size > 0) {
      const keys = [...left.values()].flat().map((change) => change.key)
      const reason = `${keys.length} objects are not what was written (${keys.slice(0, 3).join('; ')})`
      return await goBack({ ...move, writer }, { ...outcome, reason }, transaction.id)
    }
    move.progress('confirming')
    const record = formatRecord({ ...target, at: move.effects.now(), by: move.effects.by })
    const answer = await writer.confirm(transaction.id, record)
    if (answer === 'confirmed') return withoutReason({ ...outcome, status: 'confirmed' })
    return {
      ...outcome,
      status: 'rolled-back',
      reason: 'the host went back by itself before we could confirm',
    }
  } catch (error) {
    if (!isWorldError(error)) throw error
    return await lostHost(move, outcome, { transaction, cause: error.message })
  } finally {
    writer?.close()
  }
}

function withoutReason(outcome: HostOutcome): HostOutcome {
  const { reason: _, ...rest } = outcome
  return rest
}

/** We cannot reach it: the host's own switch goes back at the end of the window. Wait for that, and look. */
async function lostHost(
  move: Move,
  outcome: HostOutcome,
  { transaction, cause }: { readonly transaction: Transaction; readonly cause: string },
): Promise<HostOutcome> {
  move.progress('unreachable: waiting for the host to go back')
  const unknown: HostOutcome = {
    ...outcome,
    status: 'unknown',
    reason: `${cause}; its state is unknown: look at the host`,
  }
  for (let attempt = 0; attempt < 5; attempt++) {
    await move.effects.sleep(attempt === 0 ? (transaction.windowSeconds + 2) * 1000 : 2000)
    const answer = await askAgain(move, transaction.id)
    if (answer === 'reverted') return { ...outcome, status: 'rolled-back', reason: cause }
    if (answer === 'confirmed') return withoutReason({ ...outcome, status: 'confirmed' })
  }
  return unknown
}

async function askAgain(move: Move, id: string): Promise<'reverted' | 'confirmed' | 'unknown'> {
  let writer: HostWriter | undefined
  try {
    writer = await move.effects.open(move.host)
    const answer = await writer.revertNow(id)
    return answer === 'reverted' || answer === 'confirmed' ? answer : 'unknown'
  } catch (error) {
    if (!isWorldError(error)) throw error
    return 'unknown'
  } finally {
    writer?.close()
  }
}

/** Something went wrong while we can still speak to the host: back now, and see that it is back. */
async function goBack(move: Move, outcome: HostOutcome, id: string): Promise<HostOutcome> {
  move.progress('going back')
  const answer = await move.writer.revertNow(id)
  return answer === 'reverted'
    ? { ...outcome, status: 'rolled-back' }
    : {
        ...outcome,
        status: 'unknown',
        reason: `${outcome.reason ?? ''}; going back ended with "${answer}": look at the host`,
      }
}

/** Every rule that this host enforces, for its record. */
function rulesOfHost(run: Run, host: HostModel): ReadonlyMap<RuleId, RuleOrigin> {
  const rulesets = [
    host.own.inbound,
    host.own.outbound,
    ...host.nics.flatMap((nic) => [nic.inbound, nic.outbound]),
  ]
  const ids = new Set(rulesets.flatMap((ruleset) => ruleset.rules.map((rule) => rule.id)))
  return new Map([...run.model.rules].filter(([id]) => ids.has(id)))
}
