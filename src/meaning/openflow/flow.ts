import type { Hop } from '../simulation.ts'
import type { Action, ConjunctionPart } from './action.ts'
import { type Match, parseMatch } from './match.ts'
import { parseActions } from './parse-action.ts'
import { indexOutsideQuotes, splitWords } from './split.ts'
import type { PortNumbers } from './value.ts'

/** A flow as `ovs-ofctl dump-flows` prints it, in any of its versions. */
export interface Flow {
  /** Absent: the line is unreadable, and might be a flow of any table. */
  readonly table?: number
  /** Above all others where it is unreadable. */
  readonly priority: number
  readonly match: Match
  readonly actions: readonly Action[]
  /** Not empty: it is never executed, but a clause of these conjunctions. */
  readonly conjunctions: readonly ConjunctionPart[]
  /** As printed: two flows of one text do the same. */
  readonly actionsText: string
  readonly hop: Hop
}

/** Words of a dump that say nothing about packets. See ovs-ofctl(8), "Flow Syntax". */
const attributes = new Set([
  'cookie',
  'duration',
  'n_packets',
  'n_bytes',
  'idle_timeout',
  'hard_timeout',
  'idle_age',
  'hard_age',
  'importance',
])
const flags = new Set([
  'send_flow_rem',
  'check_overlap',
  'reset_counts',
  'no_packet_counts',
  'no_byte_counts',
])

const marker = 'actions='
const highestPriority = 65536

/** The flows of a dump, in its order. Every line but an empty one and the header is one, readable or not. */
export function parseFlows(text: string, bridge: string, portNumber: PortNumbers): readonly Flow[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(
      (line) => line !== '' && !/^(NXST|OFPST)_FLOW reply \([^)]*\)( \(xid=0x[0-9a-f]+\))?:$/.test(line),
    )
    .map((line) => parseFlow(line, bridge, portNumber))
}

function parseFlow(line: string, bridge: string, portNumber: PortNumbers): Flow {
  const cut = line.startsWith(marker) ? 0 : indexOutsideQuotes(line, ` ${marker}`)
  const words = cut < 0 ? undefined : splitWords(line.slice(0, cut))
  if (words === undefined) return unreadable(line, bridge)
  const numbers = { table: 0, priority: 32768 }
  const parts: string[] = []
  for (const word of words) {
    const [name = '', value = ''] = word.split('=')
    if (name === 'table' || name === 'priority') {
      if (!/^\d{1,5}$/.test(value)) return unreadable(line, bridge)
      numbers[name] = Number(value)
    } else if (!attributes.has(name) && !flags.has(word)) parts.push(word)
  }
  const actionsText = line.slice(line.indexOf(marker, cut) + marker.length)
  const actions = parseActions(actionsText, portNumber)
  const conjunctions = actions.flatMap((action) => (action.kind === 'conjunction' ? [action.part] : []))
  return {
    ...numbers,
    match: parseMatch(parts, portNumber),
    actions,
    conjunctions,
    actionsText,
    hop: { where: `${bridge} table=${numbers.table}`, line },
  }
}

function unreadable(line: string, bridge: string): Flow {
  const why = `line "${line.slice(0, 100)}"`
  return {
    priority: highestPriority,
    match: { bits: [], unread: [why], isImpossible: false },
    actions: [],
    conjunctions: [],
    actionsText: '',
    hop: { where: bridge, line },
  }
}
