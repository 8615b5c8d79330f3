import type { Bridge, HostModel } from '../../model/model.ts'
import type { Family } from '../../net/address.ts'
import type { State } from '../backend.ts'
import type { HostFacts } from '../facts.ts'
import { linuxNics, uplinksOf } from '../linux-nics.ts'
import { type Chain, type Hook, chainKey, deliverChain, entryChains } from './chain.ts'
import {
  dispatchReceivers,
  dispatchSenders,
  dropStrangers,
  fromChain,
  strangerChains,
  toChain,
} from './dispatch.ts'
import { guestInbound, guestOutbound } from './guest.ts'
import { accept } from './infrastructure.ts'
import { ownInbound, ownOutbound } from './own.ts'
import { type Rule, formatRule } from './rule.ts'

/**
 * The chains of a host, both families:
 *
 * ```
 * FORWARD → gw-forward → gw-from → gw-o-<port> → gw-deliver → gw-to → gw-i-<port>     sender is managed
 *                      → gw-to → gw-i-<port>                                          only the receiver is
 * INPUT   → gw-input   → gw-from → gw-o-<port> → gw-deliver → back → the host's own inbound rules
 * OUTPUT  → gw-output  → the host's own outbound rules
 * ```
 *
 * Allowed packets never leave a guest's chain by falling off its end, so a sender's verdict cannot skip the receiver's.
 */
export function desiredChains(host: HostModel, facts: HostFacts): State {
  return new Map(
    ([4, 6] as const).flatMap((family) => {
      const chains = chainsOf(host, facts, family).filter((chain) => chain !== undefined)
      const hooks = (Object.keys(entryChains) as Hook[]).filter((hook) =>
        chains.some(({ name }) => name === entryChains[hook]),
      )
      return [
        ...chains.map(
          ({ name, rules }) => [chainKey(family, name), rules.map(formatRule).join('\n')] as const,
        ),
        ...hooks.map((hook) => [chainKey(family, hook), `1 ${hookRule(hook)}`] as const),
      ]
    }),
  )
}

/** The one rule of ours in a chain of the kernel's. */
function hookRule(hook: Hook): string {
  return `-m comment --comment gitwall -j ${entryChains[hook]}`
}

function chainsOf(host: HostModel, facts: HostFacts, family: Family): readonly (Chain | undefined)[] {
  const nics = linuxNics(host)
  const ports = nics.map(({ port }) => port)
  const closed = host.bridges.filter(
    ({ datapath, unmanaged }) => datapath === 'linux' && unmanaged === 'drop',
  )
  const inbound = [
    ...closed.map(fromKnown),
    ...(nics.length > 0 ? [jump(fromChain)] : []),
    ...ownInbound(host, family),
  ]
  const forward = [
    ...closed.flatMap((bridge) => [fromKnown(bridge), toKnown(bridge)]),
    ...(nics.length > 0 ? [jump(fromChain), jump(toChain)] : []),
  ]
  return [
    entry('FORWARD', forward),
    entry('INPUT', inbound),
    entry('OUTPUT', ownOutbound(host, family)),
    ...closed.flatMap((bridge) => dropStrangers(bridge.name, knownPorts(bridge, host, facts))),
    ...(nics.length > 0 ? [deliver(), ...dispatchSenders(ports), ...dispatchReceivers(ports)] : []),
    ...nics.flatMap((nic) => [guestOutbound(nic, family), guestInbound(nic, family)]),
  ]
}

function entry(hook: Hook, rules: readonly Rule[]): Chain | undefined {
  return rules.length === 0 ? undefined : { name: entryChains[hook], rules }
}

function jump(chain: string): Rule {
  return { matches: [], comment: 'gw:dispatch', target: { kind: 'jump', chain } }
}

/**
 * Judges the receiver of what a managed guest sends. A packet to the hypervisor, or one that it routes, goes back to where the
 * guest's chains were entered, so that the host's own firewall still judges it.
 */
function deliver(): Chain {
  return {
    name: deliverChain,
    rules: [
      { matches: [{ kind: 'physdev', bridged: false }], comment: 'gw:to-host', target: { kind: 'return' } },
      jump(toChain),
      { matches: [], comment: 'gw:unmanaged', target: accept },
    ],
  }
}

function fromKnown(bridge: Bridge): Rule {
  return { input: bridge.name, ...jump(strangerChains(bridge.name).senders) }
}

function toKnown(bridge: Bridge): Rule {
  return {
    output: bridge.name,
    matches: [{ kind: 'physdev', bridged: true }],
    comment: 'gw:dispatch',
    target: { kind: 'jump', chain: strangerChains(bridge.name).receivers },
  }
}

function knownPorts(bridge: Bridge, host: HostModel, facts: HostFacts): readonly string[] {
  const nics = host.nics.filter((nic) => nic.bridge === bridge.name).map(({ port }) => port)
  return [...nics, ...uplinksOf(bridge, host, facts)]
}
