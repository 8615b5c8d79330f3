import type { Nic } from '../../model/model.ts'
import type { Family } from '../../net/address.ts'
import { type Chain, deliverChain, inboundChain, outboundChain } from './chain.ts'
import {
  accept,
  dhcpClient,
  dhcpReply,
  discovery,
  drop,
  invalid,
  multicastReports,
  multicastQuery,
  policyRules,
  related,
  replies,
} from './infrastructure.ts'
import type { Rule, Target } from './rule.ts'

const deliver: Target = { kind: 'goto', chain: deliverChain }

/**
 * What a guest may send. Whatever passes goes on to `gw-deliver`: its receiver may be a guest with rules of its own. Who the
 * sender claims to be was checked before, on the bridge.
 */
export function guestOutbound(nic: Nic, family: Family): Chain {
  const name = outboundChain(nic.port)
  if (nic.outbound.kind === 'unfiltered') return { name, rules: [unfiltered(deliver)] }
  const own = family === 4 ? dhcpClient(4, deliver) : [...neighbourTalk(nic), ...dhcpClient(6, deliver)]
  return {
    name,
    rules: [
      invalid(),
      related(deliver),
      replies(deliver),
      ...own,
      ...(nic.dhcpServer ? dhcpReply(family, deliver) : []),
      ...policyRules(nic.outbound, { family, peerEnd: 'destination', allow: deliver }),
      drop('gw:default'),
    ],
  }
}

/** What a guest may receive. Nothing comes back from here. */
export function guestInbound(nic: Nic, family: Family): Chain {
  const name = inboundChain(nic.port)
  if (nic.inbound.kind === 'unfiltered') return { name, rules: [unfiltered(accept)] }
  const own = family === 4 ? [] : [...discovery([134, 135, 136], accept), ...multicastQuery(accept)]
  return {
    name,
    rules: [
      invalid(),
      related(accept),
      replies(accept),
      ...own,
      ...dhcpReply(family, accept),
      ...policyRules(nic.inbound, { family, peerEnd: 'source', allow: accept }),
      drop('gw:default'),
    ],
  }
}

/** Router and neighbour solicitation, neighbour advertisement, group membership; a router's own words where it may be one. */
function neighbourTalk(nic: Nic): readonly Rule[] {
  const types = nic.routerAdvertisements ? [133, 134, 135, 136, 137] : [133, 135, 136]
  return [...discovery(types, deliver), ...multicastReports(deliver)]
}

function unfiltered(target: Target): Rule {
  return { matches: [], comment: 'gw:unfiltered', target }
}
