import type { HostModel } from '../../model/model.ts'
import type { State } from '../backend.ts'
import type { HostFacts } from '../facts.ts'
import { type BridgePorts, bridgesOf } from './bridge-ports.ts'
import { arriveFlows, classifyFlows, deliverFlows, leaveFlows } from './classify.ts'
import { type Flow, formatFlow, formatKey, inTable } from './flow.ts'
import { inAcceptFlows, inBaseFlows, inStateFlows } from './inbound.ts'
import { memberFlows, membershipOf } from './members.ts'
import { outBaseFlows, outNeighbourFlows, outSourceFlows, outStateFlows, outTrackFlows } from './outbound.ts'
import { ruleFlows } from './rules.ts'
import { purposes, tables } from './tables.ts'

/** Every flow of every bridge of ours that the host has, with ports by name. */
export function desiredState(host: HostModel, facts: HostFacts): State {
  const state = new Map<string, string>()
  for (const bridge of bridgesOf(host, facts))
    for (const flow of bridgeFlows(bridge)) {
      const text = formatFlow(flow)
      const key = formatKey(bridge.name, text)
      if (state.has(key)) throw new Error(`two flows with one match: ${key}`)
      state.set(key, text.rest)
    }
  return state
}

/** In the order in which a frame from one guest to another passes them. */
function bridgeFlows(bridge: BridgePorts): readonly Flow[] {
  const outbound = { direction: 'outbound', membership: membershipOf(bridge.nics, 'outbound') } as const
  const inbound = { direction: 'inbound', membership: membershipOf(bridge.nics, 'inbound') } as const
  return [
    ...classifyFlows(bridge),
    ...arriveFlows(bridge),
    ...outBaseFlows(bridge),
    ...outNeighbourFlows(bridge),
    ...outSourceFlows(bridge),
    ...outTrackFlows(),
    ...outStateFlows(bridge),
    ...memberFlows(outbound.membership, 'outbound'),
    ...ruleFlows(bridge.nics, outbound),
    ...deliverFlows(bridge),
    ...leaveFlows(bridge),
    ...inBaseFlows(bridge),
    ...inStateFlows(bridge),
    ...memberFlows(inbound.membership, 'inbound'),
    ...ruleFlows(bridge.nics, inbound),
    ...inAcceptFlows(),
    inTable(tables.canary, purposes.canary)(0, {}, []),
  ]
}
