import type { Change, Step } from '../backend.ts'
import type { HostFacts } from '../facts.ts'
import { type FlowText, mapMatchPorts, mapPorts, parseEntry } from './flow.ts'
import { namesToNumbers } from './port.ts'
import { cookieFilter } from './tables.ts'

/**
 * One bundle for each bridge: ordered, and atomic as a whole (ovs-ofctl(8), `--bundle`). Adding over a flow of the same table,
 * priority and match replaces its cookie and actions and keeps its counters (OpenFlow 1.2 and later).
 */
export function moveSteps(changes: readonly Change[], facts: HostFacts): readonly Step[] {
  return bundles(changes, facts, (change, flows) => {
    switch (change.op) {
      case 'remove':
        return { deletion: flows.deletion(change.key, exactly(change.before)) }
      case 'add':
      case 'replace':
        return { addition: flows.addition(change.key, change.after) }
    }
  })
}

/** The way back from wherever `moveSteps` was stopped; running it twice is running it once. */
export function undoSteps(changes: readonly Change[], facts: HostFacts): readonly Step[] {
  return bundles(changes, facts, (change, flows) => {
    switch (change.op) {
      case 'add':
        return { deletion: flows.deletion(change.key, cookieFilter) }
      case 'remove':
      case 'replace':
        return { addition: flows.addition(change.key, change.before) }
    }
  })
}

/** Lines of an ovs-ofctl flow file; `undefined` where the bridge has no such port. */
interface FlowWriter {
  addition(key: string, rest: string): string | undefined
  deletion(key: string, cookie: string): string | undefined
}

interface Lines {
  readonly deletion?: string | undefined
  readonly addition?: string | undefined
}

function bundles(
  changes: readonly Change[],
  facts: HostFacts,
  linesOf: (change: Change, flows: FlowWriter) => Lines,
): readonly Step[] {
  const byBridge = new Map<string, Change[]>()
  for (const change of changes) {
    const { bridge } = parseEntry(change.key, '')
    const known = byBridge.get(bridge)
    if (known === undefined) byBridge.set(bridge, [change])
    else known.push(change)
  }
  return [...byBridge].flatMap(([bridge, ofBridge]): Step[] => {
    const writer = flowWriter(bridge, facts)
    const lines = ofBridge.map((change) => linesOf(change, writer))
    const input = [...lines.map(({ deletion }) => deletion), ...lines.map(({ addition }) => addition)]
    const stdin = input.filter((line) => line !== undefined).map((line) => `${line}\n`)
    if (stdin.length === 0) return []
    const argv = ['ovs-ofctl', '-O', 'OpenFlow14', '--bundle', 'add-flows', bridge, '-']
    return [{ phase: 'switch', kind: 'ovs', argv, stdin: stdin.join('') }]
  })
}

function flowWriter(bridge: string, facts: HostFacts): FlowWriter {
  const mapping = namesToNumbers(bridge, facts)
  const identity = ({ table, priority, match }: FlowText) =>
    `table=${table},priority=${priority}${match === '' ? '' : `,${match}`}`
  return {
    addition(key, rest) {
      const flow = mapPorts(parseEntry(key, rest).flow, mapping)
      return flow === undefined ? undefined : `add ${identity(flow)},${flow.rest}`
    },
    deletion(key, cookie) {
      const { flow } = parseEntry(key, '')
      const match = mapMatchPorts(flow.match, mapping)
      return match === undefined
        ? undefined
        : `delete_strict cookie=${cookie},${identity({ ...flow, match })}`
    },
  }
}

/** The filter for one cookie alone: what somebody else put there meanwhile stays. */
function exactly(rest: string): string {
  return `${/^cookie=(0x[0-9a-f]{1,16}),/.exec(rest)?.[1] ?? cookieFilter.split('/')[0]}/-1`
}
