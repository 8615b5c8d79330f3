import type { State } from '../backend.ts'
import type { HostFacts } from '../facts.ts'
import { mapPorts, parseEntry } from './flow.ts'
import { namesToNumbers } from './port.ts'

/**
 * What `ovs-ofctl -O OpenFlow14 --no-names --no-stats dump-flows` prints of each bridge that holds exactly this state. Flows of a
 * port that the bridge does not have are left out, as they are when they are written.
 */
export function printFlows(state: State, facts: HostFacts): ReadonlyMap<string, string> {
  const byBridge = new Map<string, string>()
  for (const [key, rest] of state) {
    const { bridge, flow } = parseEntry(key, rest)
    const numbered = mapPorts(flow, namesToNumbers(bridge, facts))
    if (numbered === undefined) continue
    const [, cookie = '', actions = ''] =
      /^(cookie=0x[0-9a-f]+),(?:.*,)?(actions=.*)$/.exec(numbered.rest) ?? []
    const table = numbered.table === 0 ? '' : `table=${numbered.table}, `
    const match = [`priority=${numbered.priority}`, ...(numbered.match === '' ? [] : [numbered.match])].join(
      ',',
    )
    byBridge.set(bridge, `${byBridge.get(bridge) ?? ''} ${cookie}, ${table}${match} ${actions}\n`)
  }
  return byBridge
}
