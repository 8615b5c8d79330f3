import { printSets } from './kernel/ipset/print.ts'
import { printTable } from './kernel/iptables/print.ts'
import { printNftTable } from './kernel/nft/print.ts'
import { printFlows } from './kernel/ovs/print.ts'
import type { HostState, State } from './kernel/backend.ts'
import type { HostFacts } from './kernel/facts.ts'
import type { Capture } from './meaning/capture.ts'

const nothing: State = new Map()

/** A state as the tools of a host would print it that holds this state and nothing else: desired states can be simulated like live ones. */
export function captureOf(state: HostState, facts: HostFacts): Capture {
  const iptables = state.get('iptables') ?? nothing
  return {
    flows: printFlows(state.get('ovs') ?? nothing, facts),
    ports: new Map([...facts.ovsPorts].map(([name, { bridge, ofport }]) => [name, { bridge, ofport }])),
    iptables: printTable(iptables, 4),
    ip6tables: printTable(iptables, 6),
    ipset: printSets(state.get('ipset') ?? nothing),
    nft: printNftTable(state.get('nft') ?? nothing),
  }
}
