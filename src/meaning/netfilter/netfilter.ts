import { addressTypes } from './address-type.ts'
import type { Capture } from '../capture.ts'
import type { Simulation } from '../simulation.ts'
import { hooksOf } from './hooks.ts'
import { isNftBacked, parseSave } from './iptables/save.ts'
import { saveChains } from './iptables/tables.ts'
import { parseSets } from './ipset.ts'
import { rulesetChains } from './nft/tables.ts'
import { type Forward, type HostRules, type Input, type Output, forward, input, output } from './ways.ts'

/** What a capture does not say of a host. */
export interface Assumptions {
  /** `net.bridge.bridge-nf-call-iptables`: do bridged IPv4 frames meet iptables? Default: yes. */
  readonly callIptables?: boolean
  /** `net.bridge.bridge-nf-call-ip6tables`. Default: yes. */
  readonly callIp6tables?: boolean
  /** The host's own addresses with their lengths, `10.0.0.254/24`. Absent: whether an address is local is unknown. */
  readonly ownAddresses?: readonly string[]
}

/** A host's netfilter rules, ready to be asked. Every simulation has one end. */
export interface Netfilter {
  readonly simulateForward: (question: Forward) => Simulation
  readonly simulateInput: (question: Input) => Simulation
  readonly simulateOutput: (question: Output) => Simulation
}

/**
 * Reads what a host's tools printed, once, for many questions. Not seen: ebtables-legacy and arptables-legacy, tc, XDP, and NAT of
 * replies, whose frames are taken as they stand. A frame that reaches a hook is taken to be well-formed.
 */
export function compileNetfilter(capture: Capture, assumptions: Assumptions = {}): Netfilter {
  const host = { sets: parseSets(capture.ipset), addressTypes: addressTypes(assumptions.ownAddresses) }
  const chains = [
    ...saveChains(capture.iptables, 4, host),
    ...saveChains(capture.ip6tables, 6, host),
    ...rulesetChains(capture.nft, tablesElsewhere(capture)),
  ]
  const rules: HostRules = {
    hooks: hooksOf(chains),
    reassembles: {
      ip: usesConntrack(capture.iptables, capture.nft),
      ip6: usesConntrack(capture.ip6tables, capture.nft),
    },
    calls: { ip: assumptions.callIptables ?? true, ip6: assumptions.callIp6tables ?? true },
  }
  return {
    simulateForward: (question) => forward(rules, question),
    simulateInput: (question) => input(rules, question),
    simulateOutput: (question) => output(rules, question),
  }
}

/** Tables of iptables-nft are in `nft list ruleset` too, in a spelling that says less. */
function tablesElsewhere(capture: Capture): (family: string, name: string) => boolean {
  const namesOf = (text: string) => new Set(isNftBacked(text) ? parseSave(text).map(({ name }) => name) : [])
  const names: Readonly<Record<string, ReadonlySet<string>>> = {
    ip: namesOf(capture.iptables),
    ip6: namesOf(capture.ip6tables),
  }
  return (family, name) => names[family]?.has(name) ?? false
}

/** With the first rule that asks conntrack, the kernel puts fragments together before any rule (`nf_defrag_ipv4_enable`). */
function usesConntrack(save: string, nft: string): boolean {
  return connectionOptions.test(withoutStrings(save)) || connectionStatements.test(withoutStrings(nft))
}

const connectionOptions =
  /-m (conntrack|state|connmark|connlimit|connbytes|connlabel|helper) |-j (CT --(zone|helper|timeout)|CONNMARK|CONNSECMARK|DNAT|SNAT|MASQUERADE|REDIRECT|NETMAP)/
const connectionStatements =
  /\bct (state|mark|status|direction|count|zone|helper|original|reply|label)|\btype nat hook\b/

function withoutStrings(text: string): string {
  return text.replaceAll(/"[^"\n]*"/g, '""')
}
