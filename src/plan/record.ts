import type { HostState, KindName } from '../kernel/backend.ts'
import type { RuleId, RuleOrigin } from '../model/model.ts'

/**
 * A host's owned state with what people need to read it later, without Git: kept on the host as the record of what was last
 * confirmed there, and as a snapshot before every change.
 */
export interface HostRecord {
  /** Commit whose desired state this is; for a snapshot, the one that was confirmed before the change. Empty: none yet. */
  readonly commit: string
  /** ISO 8601, UTC. */
  readonly at: string
  /** Who ran it: `user@machine`, or the URL of a workflow run. */
  readonly by: string
  readonly state: HostState
  readonly rules: ReadonlyMap<RuleId, RuleOrigin>
  readonly users: UsersByKind
}

/** Kind → key → ids of the rules that name the object. */
export type UsersByKind = ReadonlyMap<KindName, ReadonlyMap<string, readonly RuleId[]>>

const version = 1

/** The record as one JSON text; keys in order, so that equal records are equal bytes. */
export function formatRecord(record: HostRecord): string {
  const { commit, at, by } = record
  return `${JSON.stringify({
    version,
    commit,
    at,
    by,
    state: objectOf(record.state, objectOf),
    rules: objectOf(record.rules),
    users: objectOf(record.users, objectOf),
  })}\n`
}

/** Reads a record from a host. It may be anything: whatever is not a record of this version gives `undefined`. */
export function parseRecord(text: string): HostRecord | undefined {
  const value = parseJson(text)
  if (!isObject(value) || value['version'] !== version) return undefined
  const { commit, at, by } = value
  const state = mapOf(value['state'], (kind) => mapOf(kind, asText))
  const rules = mapOf(value['rules'], asOrigin)
  const users = mapOf(value['users'], (kind) => mapOf(kind, asTexts))
  if (typeof commit !== 'string' || typeof at !== 'string' || typeof by !== 'string') return undefined
  if (state === undefined || rules === undefined || users === undefined) return undefined
  return {
    commit,
    at,
    by,
    state: state as HostState,
    rules: rules as ReadonlyMap<RuleId, RuleOrigin>,
    users: users as UsersByKind,
  }
}

function objectOf<V>(map: ReadonlyMap<string, V>, each: (value: V) => unknown = (value) => value): object {
  const entries = [...map.entries()].sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, value]) => [key, each(value)]))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function mapOf<V>(
  value: unknown,
  read: (value: unknown) => V | undefined,
): ReadonlyMap<string, V> | undefined {
  if (!isObject(value)) return undefined
  const map = new Map<string, V>()
  for (const [key, one] of Object.entries(value)) {
    const item = read(one)
    if (item === undefined) return undefined
    map.set(key, item)
  }
  return map
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function asTexts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined
}

function asOrigin(value: unknown): RuleOrigin | undefined {
  if (!isObject(value) || !isObject(value['source'])) return undefined
  const { firewall, direction, name } = value
  const { file, line, column } = value['source']
  if (typeof firewall !== 'string' || typeof name !== 'string' || typeof file !== 'string') return undefined
  if (direction !== 'inbound' && direction !== 'outbound') return undefined
  if (typeof line !== 'number' || typeof column !== 'number') return undefined
  return { firewall, direction, name, source: { file, line, column } }
}
