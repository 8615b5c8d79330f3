import { backends } from './backends.ts'
import type { HostReader, ReadEffects } from './effects.ts'
import type { Probe } from './host/fingerprint.ts'
import type { HostReading } from './host/read.ts'
import type { HostState, KindName, State } from './kernel/backend.ts'
import { diffHost } from './kernel/diff.ts'
import { factsProbe, parseFacts } from './kernel/facts-probe.ts'
import type { HostFacts } from './kernel/facts.ts'
import type { HostModel, Model, RuleId, RuleOrigin } from './model/model.ts'
import { guardHost, unprotected, warnHost } from './plan/guards.ts'
import type { HostOutcome, Report } from './plan/outcome.ts'
import { type HostRecord, type UsersByKind, parseRecord } from './plan/record.ts'

/** What a run works on: the compiled fleet, and the hosts of it that it reads and writes. */
export interface Run {
  readonly model: Model
  readonly hosts: readonly HostModel[]
  /** Full hash, or `worktree`. */
  readonly commit: string
}

/** A host as it is now, understood. */
export interface HostView {
  readonly facts: HostFacts
  readonly live: HostState
  readonly fingerprint: string
  readonly record: HostRecord | undefined
  readonly pending: readonly string[]
  /** Transactions whose way back did not lead back. */
  readonly stuck: readonly string[]
}

/** The probes of every kind, in their order; their outputs make the fingerprint. */
export const kindProbes: readonly Probe[] = backends.map(({ name, probe }) => ({ name, script: probe }))

/** `plan`: what would change on each host, and why it would be refused. Reads only. */
export async function planFleet(run: Run, effects: ReadEffects): Promise<Report> {
  const outcomes = await effects.eachHost(run.hosts, (host) =>
    withHost(host, effects, async (reader) => planOutcome(run.model, host, await viewHost(host, reader))),
  )
  return { command: 'plan', commit: run.commit, outcomes, rules: run.model.rules, problems: [] }
}

/** `drift`: live against what was last confirmed on each host. Reads only, and asks neither Git nor the policies. */
export async function driftFleet(run: Run, effects: ReadEffects): Promise<Report> {
  const found = await effects.eachHost(run.hosts, async (host) => {
    let rules: ReadonlyMap<RuleId, RuleOrigin> = new Map()
    const outcome = await withHost(host, effects, async (reader) => {
      const view = await viewHost(host, reader)
      rules = view.record?.rules ?? rules
      return driftOutcome(host, view)
    })
    return { outcome, rules }
  })
  const rules = new Map([...run.model.rules, ...found.flatMap((one) => [...one.rules])])
  return {
    command: 'drift',
    commit: run.commit,
    outcomes: found.map((one) => one.outcome),
    rules,
    problems: [],
  }
}

/** Opens the host, runs `work`, closes it; what the world does wrong becomes the outcome `unreachable`. */
export async function withHost<Reader extends HostReader>(
  host: HostModel,
  effects: { open(host: HostModel): Promise<Reader> },
  work: (reader: Reader) => Promise<HostOutcome>,
): Promise<HostOutcome> {
  let reader: Reader | undefined
  try {
    reader = await effects.open(host)
    return await work(reader)
  } catch (error) {
    if (!isWorldError(error)) throw error
    return {
      ...emptyOutcome(host),
      status: reader === undefined || error.kind === 'lost' ? 'unreachable' : 'refused',
      reason: error.message,
    }
  } finally {
    reader?.close()
  }
}

/** Reads a host once and understands what it said. */
export async function viewHost(host: HostModel, reader: HostReader): Promise<HostView> {
  const reading = await reader.read([{ name: 'facts', script: factsProbe }, ...kindProbes])
  const facts = parseFacts(outputOf(host, reading, 'facts'))
  const live = new Map<KindName, State>(
    backends.map((backend) => [
      backend.name,
      readable(host, backend.name, () => backend.live(outputOf(host, reading, backend.name), facts)),
    ]),
  )
  return {
    facts,
    live,
    fingerprint: reading.fingerprint,
    record: reading.confirmed === undefined ? undefined : parseRecord(reading.confirmed),
    pending: reading.pending,
    stuck: reading.transactions.filter(({ state }) => state === 'reverting-failed').map(({ id }) => id),
  }
}

/** A probe or a tool on the host did not do its work: nothing may be concluded from its output. */
class HostUnreadable extends Error {
  override readonly name = 'HostUnreadable'
  readonly kind = 'tool'
}

/** A probe's stdout. Throws `HostUnreadable` when the probe failed. */
export function outputOf(host: HostModel, reading: HostReading, name: string): string {
  const output = reading.outputs.get(name)
  if (output === undefined)
    throw new HostUnreadable(`${host.name}: reading ${name}: the host printed no such section`)
  if (output.code !== 0)
    throw new HostUnreadable(
      `${host.name}: reading ${name}: exit ${output.code}: ${output.stderr.trim().slice(0, 300)}: run the tool on the host by hand`,
    )
  return output.stdout
}

function readable<T>(host: HostModel, kind: KindName, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'UnreadableOutput') throw error
    throw new HostUnreadable(`${host.name}: reading ${kind}: ${error.message}`, { cause: error })
  }
}

/** Errors that hosts and networks cause carry a `kind`; everything else is our bug and is not caught. */
export function isWorldError(error: unknown): error is Error & { readonly kind: string } {
  return error instanceof Error && 'kind' in error && typeof error.kind === 'string'
}

/** What the model wants of this host, of every kind. */
export function desiredState(host: HostModel, facts: HostFacts): HostState {
  return new Map(backends.map((backend) => [backend.name, backend.desired(host, facts)]))
}

/** Rules behind objects whose text carries no rule id. */
export function usersOf(host: HostModel): UsersByKind {
  return new Map(backends.map((backend) => [backend.name, backend.users(host)]))
}

/** What would change on one host, and why it would be refused. */
export function planOutcome(model: Model, host: HostModel, view: HostView): HostOutcome {
  const changes = diffHost(view.live, desiredState(host, view.facts))
  const refusals = [...pendingReasons(view), ...guardHost(model, host, view.facts)]
  return {
    ...emptyOutcome(host),
    changes,
    users: mergeUsers(view.record?.users, usersOf(host)),
    warnings: [...warnHost(host, view.facts), ...stuckWarnings(view)],
    absentPorts: absentPorts(host, view.facts),
    status: refusals.length > 0 ? 'refused' : changes.size > 0 ? 'planned' : 'in-sync',
    ...(refusals.length > 0 ? { reason: refusals.join('\n') } : {}),
  }
}

/** Why nothing may be begun on this host now. */
export function pendingReasons(view: HostView): readonly string[] {
  return view.pending.length === 0
    ? []
    : [
        `transaction ${view.pending.join(', ')} of another run is neither confirmed nor reverted: wait for its window to end, or run "reconcile recover"`,
      ]
}

function stuckWarnings(view: HostView): readonly string[] {
  return view.stuck.map(
    (id) => `transaction ${id} could not be reverted: look at the host, then run "reconcile recover"`,
  )
}

function driftOutcome(host: HostModel, view: HostView): HostOutcome {
  if (view.record === undefined) {
    const owned = [...view.live.values()].reduce((sum, state) => sum + state.size, 0)
    const reason = 'nothing was ever confirmed on this host: run "reconcile apply" first'
    return {
      ...emptyOutcome(host),
      status: 'unmanaged',
      reason: owned === 0 ? reason : `${reason} (${owned} objects of ours stand there)`,
    }
  }
  const changes = diffHost(view.record.state, view.live)
  const bypassed = unprotected(host, view.facts)
  return {
    ...emptyOutcome(host),
    status: bypassed.length > 0 ? 'unprotected' : changes.size > 0 ? 'drifted' : 'in-sync',
    ...(bypassed.length > 0 ? { reason: bypassed.join('\n') } : {}),
    changes,
    users: view.record.users,
    warnings: [
      ...warnHost(host, view.facts),
      ...view.pending.map((id) => `transaction ${id} is still open`),
      ...stuckWarnings(view),
    ],
  }
}

/** NIC ports that do not exist on the host yet: their rules come with the next run after they do. */
function absentPorts(host: HostModel, facts: HostFacts): readonly string[] {
  const datapathByBridge = new Map(host.bridges.map((bridge) => [bridge.name, bridge.datapath]))
  return host.nics
    .filter((nic) =>
      datapathByBridge.get(nic.bridge) === 'ovs'
        ? facts.ovsPorts.get(nic.port)?.bridge !== nic.bridge
        : !facts.links.has(nic.port),
    )
    .map((nic) => nic.port)
}

/** Old and new together: what is removed is explained by the old, what is added by the new. */
export function mergeUsers(old: UsersByKind | undefined, desired: UsersByKind): UsersByKind {
  return new Map([...desired].map(([kind, byKey]) => [kind, new Map([...(old?.get(kind) ?? []), ...byKey])]))
}

/** An outcome that says nothing yet. */
export function emptyOutcome(host: HostModel): HostOutcome {
  return {
    host: host.name,
    status: 'in-sync',
    changes: new Map(),
    users: new Map(),
    warnings: [],
    absentPorts: [],
  }
}
