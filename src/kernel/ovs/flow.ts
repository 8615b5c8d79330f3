import { type Action, formatActions, parseActions } from './action.ts'
import { type Match, formatMatch, parseMatch } from './match.ts'
import type { Port, PortMapping } from './port.ts'
import { cookieMagic, purposes } from './tables.ts'

/** One OpenFlow flow of ours. */
export interface Flow {
  readonly table: number
  readonly priority: number
  /** Low 48 bits of the cookie as twelve hex digits: a rule's id, or one of `purposes`. */
  readonly id: string
  readonly match: Match
  /** None drops the packet. */
  readonly actions: readonly Action[]
}

/** Makes flows of one table with one cookie. */
export function inTable(
  table: number,
  id: string = purposes.plumbing,
): (priority: number, match: Match, actions: readonly Action[]) => Flow {
  return (priority, match, actions) => ({ table, priority, id, match, actions })
}

/** A flow as text, cut where key and text of a state are cut. Not necessarily understood. */
export interface FlowText {
  readonly table: number
  readonly priority: number
  /** Without the priority; empty for a flow that matches everything. */
  readonly match: string
  /** `cookie=…,actions=…`, with what else the flow has (timeouts, flags) in between. */
  readonly rest: string
}

/** The flow in the spelling of ovs-ofctl. */
export function formatFlow({ table, priority, id, match, actions }: Flow): FlowText {
  return { table, priority, match: formatMatch(match), rest: formatRest({ id, actions }) }
}

/** Reads what `formatFlow` writes. `undefined` when there is anything else in it (invariant 2). */
export function parseFlow({ table, priority, match: matchText, rest }: FlowText): Flow | undefined {
  const match = parseMatch(matchText)
  const effect = parseRest(rest)
  return match === undefined || effect === undefined ? undefined : { table, priority, match, ...effect }
}

/** What a flow does, and for whom. */
type Effect = Pick<Flow, 'id' | 'actions'>

function formatRest({ id, actions }: Effect): string {
  return `cookie=0x${cookieMagic}${id},actions=${formatActions(actions)}`
}

function parseRest(rest: string): Effect | undefined {
  const [, magic, id, text = ''] = /^cookie=0x([0-9a-f]{4})([0-9a-f]{12}),actions=(.*)$/.exec(rest) ?? []
  const actions = parseActions(text)
  return magic === cookieMagic && id !== undefined && actions !== undefined ? { id, actions } : undefined
}

/**
 * The flow with every port said another way; `undefined` when one of them cannot be. Match and rest are each left as they are
 * when they are not understood: they then name no port but by number.
 */
export function mapPorts(text: FlowText, mapping: PortMapping): FlowText | undefined {
  const match = mapMatchPorts(text.match, mapping)
  const rest = mapRestPorts(text.rest, mapping)
  return match === undefined || rest === undefined ? undefined : { ...text, match, rest }
}

/** `mapPorts` for the match alone. */
export function mapMatchPorts(text: string, mapping: PortMapping): string | undefined {
  const match = parseMatch(text)
  if (match === undefined) return text
  const ports: { nic?: Port; in_port?: Port } = {}
  for (const field of ['nic', 'in_port'] as const) {
    const port = match[field]
    if (port === undefined) continue
    const mapped = mapping(port)
    if (mapped === undefined) return undefined
    ports[field] = mapped
  }
  return formatMatch({ ...match, ...ports })
}

function mapRestPorts(text: string, mapping: PortMapping): string | undefined {
  const effect = parseRest(text)
  if (effect === undefined) return text
  const actions = effect.actions.map((action) => mapAction(action, mapping))
  return actions.every((action) => action !== undefined) ? formatRest({ ...effect, actions }) : undefined
}

function mapAction(action: Action, mapping: PortMapping): Action | undefined {
  if (action.kind !== 'output' && action.kind !== 'set-nic') return action
  const port = mapping(action.port)
  return port === undefined ? undefined : { ...action, port }
}

/** `br0 table=0 priority=40200,in_port="tap101i0"`: bridge and identity of a flow. See ovs-ofctl(8), `--strict`. */
export function formatKey(bridge: string, { table, priority, match }: FlowText): string {
  return `${bridge} table=${table} priority=${priority}${match === '' ? '' : `,${match}`}`
}

/** The bridge and the flow of an entry of a state. Throws on text that no state of ours can hold: it would become a line of input. */
export function parseEntry(key: string, rest: string): { readonly bridge: string; readonly flow: FlowText } {
  const [, bridge, table, priority, match = ''] =
    /^([A-Za-z0-9_.][A-Za-z0-9_.-]*) table=(\d{1,3}) priority=(\d{1,5})(?:,(.+))?$/.exec(key) ?? []
  if (bridge === undefined || /[\p{Cc}\u2028\u2029]/u.test(key + rest))
    throw new Error(`not an entry of an Open vSwitch state: "${key.slice(0, 200)}"`)
  return { bridge, flow: { table: Number(table), priority: Number(priority), match, rest } }
}
