import type { Capture } from '../capture.ts'
import type { Frame, Tracking } from '../frame.ts'
import type { End, Hop, Simulation } from '../simulation.ts'
import type { Action } from './action.ts'
import { type Bridge, enter } from './execute.ts'
import { type Flow, parseFlows } from './flow.ts'
import { readFrame } from './packet.ts'
import { type Table, indexTable } from './table.ts'
import { reservedPorts } from './value.ts'

/** A frame that enters a bridge. */
export interface Entry {
  /** Interface name; `LOCAL` or the bridge's own name for the hypervisor itself. */
  readonly port: string
  readonly frame: Frame
  /** What conntrack says whenever it is asked, in whatever zone. */
  readonly tracking: Tracking
}

/** A bridge's flows, read once for many frames. */
export interface CompiledBridge {
  /**
   * What the flows of a bridge do with a frame. Its ends are all ports that it leaves by, and all points where that cannot be told;
   * `drop` stands alone, when there are none. A copy for a controller is no end, nor is a port that is not there. Patch ports are ports:
   * what the bridge behind one does is another simulation. NORMAL, groups and meters are unknown, and so are spanning tree, port mirrors
   * and in-band control, which a dump does not show. Table misses drop, and fragments have no ports: the defaults of Open vSwitch.
   */
  run(entry: Entry): Simulation
  /** Parts of the dump that are not understood: each leads to an end `unknown` where it might decide. */
  readonly notUnderstood: readonly { readonly why: string; readonly hop: Hop }[]
}

/** Parses and indexes the dump of a bridge, for many frames. Never throws, whatever the text. */
export function compileBridge(capture: Capture, bridge: string): CompiledBridge {
  const text = capture.flows.get(bridge)
  const ports = portsOf(capture, bridge)
  const flows = parseFlows(text ?? '', bridge, (name) => ports.numberByName.get(name))
  const compiled: Bridge = {
    name: bridge,
    table: tablesOf(flows),
    portName: (number) => ports.nameByNumber.get(number),
    portNumbers: [...ports.nameByNumber.keys()],
    mayTranslate: flows.some(({ actions }) => allOf(actions).some(translates)),
  }
  return {
    run(entry) {
      const port = ports.numberByName.get(entry.port)
      if (text === undefined) return nothingKnown(bridge, `the capture has no bridge "${bridge}"`)
      if (port === undefined) return nothingKnown(bridge, `the bridge has no port "${entry.port}"`)
      return follow(compiled, entry, port)
    },
    notUnderstood: flows.flatMap(doubtsOf),
  }
}

function follow(bridge: Bridge, { frame, tracking }: Entry, port: number): Simulation {
  const hops: Hop[] = []
  const ends: End[] = []
  enter({ bridge, frame, before: readFrame(frame, port), tracking, hops, ends, steps: 0 })
  return { hops, ends }
}

function nothingKnown(where: string, why: string): Simulation {
  return { hops: [], ends: [{ kind: 'unknown', why, by: { where, line: '' } }] }
}

interface Ports {
  readonly numberByName: ReadonlyMap<string, number>
  readonly nameByNumber: ReadonlyMap<number, string>
}

function portsOf(capture: Capture, bridge: string): Ports {
  const own = [...capture.ports].filter(
    ([, port]) => port.bridge === bridge && port.ofport !== reservedPorts.local,
  )
  const local = [...capture.ports].filter(
    ([, port]) => port.bridge === bridge && port.ofport === reservedPorts.local,
  )
  return {
    numberByName: new Map([
      ...[...own, ...local].map(([name, { ofport }]): [string, number] => [name, ofport]),
      ...[bridge, 'LOCAL'].map((name): [string, number] => [name, reservedPorts.local]),
    ]),
    nameByNumber: new Map([
      ...own.map(([name, { ofport }]): [number, string] => [ofport, name]),
      [reservedPorts.local, 'LOCAL'],
    ]),
  }
}

/** An unreadable line might be a flow of any table. */
function tablesOf(flows: readonly Flow[]): (number: number) => Table {
  const anywhere = flows.filter(({ table }) => table === undefined)
  const numbers = [...new Set(flows.map(({ table }) => table).filter((table) => table !== undefined))]
  const tables = new Map(
    numbers.map((number) => [
      number,
      indexTable([...flows.filter(({ table }) => table === number), ...anywhere]),
    ]),
  )
  const other = indexTable(anywhere)
  return (number) => tables.get(number) ?? other
}

function doubtsOf(flow: Flow): readonly { readonly why: string; readonly hop: Hop }[] {
  const unknown = allOf(flow.actions).filter((action) => action.kind === 'unknown')
  return [...flow.match.unread, ...unknown.map(({ why }) => why)].map((why) => ({ why, hop: flow.hop }))
}

/** The actions, and those inside of them. */
function allOf(actions: readonly Action[]): readonly Action[] {
  return actions.flatMap((action) => {
    switch (action.kind) {
      case 'clone':
      case 'write-actions':
        return [action, ...allOf(action.actions)]
      case 'ct':
        return [action, ...allOf(action.ct.exec)]
      default:
        return [action]
    }
  })
}

function translates(action: Action): boolean {
  return action.kind === 'ct' && action.ct.translates === 'new'
}
