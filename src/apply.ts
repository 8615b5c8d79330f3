import { backends } from './backends.ts'
import type { WriteEffects } from './effects.ts'
import type { HostModel, RuleId, RuleOrigin } from './model/model.ts'
import { moveHost } from './move.ts'
import type { HostOutcome, Report } from './plan/outcome.ts'
import { planHost } from './plan/plan.ts'
import { parseRecord } from './plan/record.ts'
import {
  type HostView,
  type Run,
  desiredState,
  emptyOutcome,
  mergeUsers,
  pendingReasons,
  planOutcome,
  usersOf,
  viewHost,
  withHost,
} from './reconcile.ts'

export interface ApplyOptions {
  /** How long a host waits for our word before it goes back by itself, seconds. */
  readonly windowSeconds: number
  /** What a person has seen and agreed to: a host whose plan is another one by now is refused. */
  readonly approved?: Report
}

/**
 * `apply`: every host is read and judged before the first write; one that a guard refuses stops the run, and nothing is
 * written anywhere. Then each host moves by itself, from exactly the state that was read.
 */
export async function applyFleet(run: Run, effects: WriteEffects, options: ApplyOptions): Promise<Report> {
  const views = new Map<string, HostView>()
  const planned = await effects.eachHost(run.hosts, (host, progress) =>
    withHost(host, effects, async (reader) => {
      progress('reading')
      const view = await viewHost(host, reader)
      views.set(host.name, view)
      return refuseUnseen(planOutcome(run.model, host, view), options.approved)
    }),
  )
  const report = { command: 'apply' as const, commit: run.commit, rules: rulesOf(run, views), problems: [] }
  if (planned.some((outcome) => outcome.status === 'refused')) return { ...report, outcomes: planned }

  const plannedByHost = new Map(planned.map((outcome) => [outcome.host, outcome]))
  const outcomes = await effects.eachHost(run.hosts, async (host, progress) => {
    const outcome = plannedByHost.get(host.name) ?? emptyOutcome(host)
    const view = views.get(host.name)
    if (view === undefined || outcome.status === 'unreachable') return outcome
    const target = {
      state: desiredState(host, view.facts),
      commit: run.commit,
      rules: rulesOfHost(run, host),
      users: usersOf(host),
    }
    return await moveHost({ host, effects, progress, ...options }, { view, target, outcome })
  })
  return { ...report, outcomes }
}

function refuseUnseen(outcome: HostOutcome, approved: Report | undefined): HostOutcome {
  const shown = approved?.outcomes.find((other) => other.host === outcome.host)
  if (approved === undefined || isEqualPlan(outcome, shown)) return outcome
  return {
    ...outcome,
    status: 'refused',
    reason: 'the plan is not the one that was shown, since the host changed: run again',
  }
}

function isEqualPlan(outcome: HostOutcome, shown: HostOutcome | undefined): boolean {
  return JSON.stringify([...outcome.changes]) === JSON.stringify([...(shown?.changes ?? [])])
}

/** `rollback`: one host back to a snapshot, by the same move. Without `snapshot`, to the newest one. */
export async function rollbackHost(
  run: Run,
  host: HostModel,
  effects: WriteEffects,
  options: ApplyOptions & { readonly snapshot?: string },
): Promise<Report> {
  let rules = run.model.rules
  const outcomes = await effects.eachHost([host], async (_, progress) => {
    let move: Parameters<typeof moveHost>[1] | undefined
    const read = await withHost(host, effects, async (reader) => {
      progress('reading')
      const snapshots = await reader.snapshots()
      const id = options.snapshot ?? snapshots[0]?.id
      const text = id === undefined ? undefined : await reader.snapshot(id)
      const target = text === undefined ? undefined : parseRecord(text)
      if (target === undefined)
        return { ...emptyOutcome(host), status: 'refused', reason: whyNoSnapshot(id, snapshots) }
      const view = await viewHost(host, reader)
      rules = new Map([...rules, ...(view.record?.rules ?? []), ...target.rules])
      const { changes } = planHost(backends, { live: view.live, target: target.state, facts: view.facts })
      const reasons = pendingReasons(view)
      const outcome: HostOutcome = {
        ...emptyOutcome(host),
        status: reasons.length > 0 ? 'refused' : 'planned',
        changes,
        users: mergeUsers(view.record?.users, target.users),
        ...(reasons.length > 0 ? { reason: reasons.join('\n') } : {}),
      }
      move = { view, target, outcome }
      return outcome
    })
    return move === undefined || read.status === 'refused'
      ? read
      : await moveHost({ host, effects, progress, ...options }, move)
  })
  return { command: 'rollback', commit: run.commit, outcomes, rules, problems: [] }
}

/** `recover`: ends what an earlier run left open on a host, by going back; says what became of each transaction. */
export async function recoverHost(run: Run, host: HostModel, effects: WriteEffects): Promise<Report> {
  const outcomes = await effects.eachHost([host], (_, progress) =>
    withHost(host, effects, async (writer): Promise<HostOutcome> => {
      const view = await viewHost(host, writer)
      const open = [...view.pending, ...view.stuck]
      const endings: string[] = []
      for (const id of open) {
        progress(`going back: ${id}`)
        endings.push(await writer.revertNow(id))
      }
      const warnings = open.map((id, index) => `transaction ${id}: ${endings[index]}`)
      if (endings.includes('revert-failed'))
        return {
          ...emptyOutcome(host),
          status: 'unknown',
          warnings,
          reason: 'going back failed: look at the host',
        }
      return { ...emptyOutcome(host), warnings: open.length === 0 ? ['nothing was left open'] : warnings }
    }),
  )
  return { command: 'rollback', commit: run.commit, outcomes, rules: run.model.rules, problems: [] }
}

function whyNoSnapshot(id: string | undefined, snapshots: readonly { readonly id: string }[]): string {
  if (id === undefined) return 'no snapshot is kept on this host: nothing was ever changed here'
  const newest = snapshots.slice(0, 5).map((snapshot) => snapshot.id)
  return `snapshot "${id}" does not exist there or cannot be read: take one of ${newest.join(', ') || 'none'}`
}

/** The rules of this commit, and those of the hosts' records, which explain what is taken away. */
function rulesOf(run: Run, views: ReadonlyMap<string, HostView>): ReadonlyMap<RuleId, RuleOrigin> {
  return new Map([
    ...[...views.values()].flatMap((view) => [...(view.record?.rules ?? [])]),
    ...run.model.rules,
  ])
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
