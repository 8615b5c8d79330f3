import type { Ruleset } from '../../model/model.ts'
import type { Family } from '../../net/address.ts'
import type { Rule, Target } from './rule.ts'
import { rulesOf } from './services.ts'

export const accept: Target = { kind: 'accept' }

/** Packets that conntrack can place nowhere. */
export function invalid(): Rule {
  return { matches: [{ kind: 'state', state: 'INVALID' }], comment: 'gw:invalid', target: { kind: 'drop' } }
}

/**
 * ICMP errors about a known connection. Both directions: what a client says about the replies it got (a smaller MTU) counts
 * as related in the *request* direction.
 */
export function related(target: Target): Rule {
  return { matches: [{ kind: 'state', state: 'RELATED' }], comment: 'gw:related', target }
}

/**
 * Only replies pass because of conntrack. Packets of the request direction must match a rule every time, so that a rule's
 * removal stops at once what it allowed.
 */
export function replies(target: Target): Rule {
  return {
    matches: [{ kind: 'state', state: 'ESTABLISHED', direction: 'REPLY' }],
    comment: 'gw:reply',
    target,
  }
}

/** The last rule of a chain. */
export function drop(comment: string): Rule {
  return { matches: [], comment, target: { kind: 'drop' } }
}

/** A client's requests: RFC 2131 ports 68 → 67, RFC 8415 ports 546 → 547. */
export function dhcpClient(family: Family, target: Target): readonly Rule[] {
  return [family === 4 ? udp(68, 67, target) : udp(546, 547, target)]
}

/** A server's answers, which conntrack does not know as replies when the request was a broadcast. */
export function dhcpReply(family: Family, target: Target): readonly Rule[] {
  return [family === 4 ? udp(67, 68, target) : udp(547, 546, target)]
}

function udp(source: number, destination: number, target: Target): Rule {
  return {
    protocol: 17,
    matches: [
      {
        kind: 'ports',
        protocol: 'udp',
        source: { first: source, last: source },
        destination: { first: destination, last: destination },
      },
    ],
    comment: 'gw:dhcp',
    target,
  }
}

/** Neighbour discovery of the given ICMPv6 types. Its hop limit of 255 proves that no router forwarded it: RFC 4861, 11.2. */
export function discovery(types: readonly number[], target: Target): readonly Rule[] {
  return types.map((type) => icmp6(type, 255, target))
}

/** Multicast listener reports and done, which switches listen to. Their hop limit is 1: RFC 3810, section 5. */
export function multicastReports(target: Target): readonly Rule[] {
  return [131, 132, 143].map((type) => icmp6(type, 1, target))
}

export function multicastQuery(target: Target): readonly Rule[] {
  return [icmp6(130, 1, target)]
}

function icmp6(type: number, hops: number, target: Target): Rule {
  return {
    protocol: 58,
    matches: [
      { kind: 'icmp', protocol: 'icmp6', type },
      { kind: 'hop limit', hops },
    ],
    comment: 'gw:discovery',
    target,
  }
}

/** The rules of a ruleset, in its order; `allow` is where an allowed packet goes. */
export function policyRules(
  ruleset: Ruleset,
  {
    family,
    peerEnd,
    allow,
  }: { readonly family: Family; readonly peerEnd: 'source' | 'destination'; readonly allow: Target },
): readonly Rule[] {
  const reject: Target = {
    kind: 'reject',
    answer: family === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable',
  }
  const targets = { allow, deny: { kind: 'drop' }, reject } as const
  return ruleset.rules.flatMap((rule) => rulesOf(rule, { family, peerEnd, target: targets[rule.verdict] }))
}
