import type { HostModel, Ruleset } from '../../model/model.ts'
import type { Family } from '../../net/address.ts'
import { managementList, peerForm } from '../set-name.ts'
import {
  accept,
  dhcpClient,
  dhcpReply,
  discovery,
  drop,
  invalid,
  multicastQuery,
  multicastReports,
  policyRules,
  related,
  replies,
} from './infrastructure.ts'
import type { Rule } from './rule.ts'

/** What may reach the hypervisor itself; nothing when no firewall speaks of it. The management floor comes before all else. */
export function ownInbound(host: HostModel, family: Family): readonly Rule[] {
  if (host.own.inbound.kind === 'unfiltered') return []
  return [
    ...managementFloor(host, family, 'source'),
    { input: 'lo', matches: [], comment: 'gw:loopback', target: accept },
    invalid(),
    related(accept),
    replies(accept),
    ...(family === 4 ? [] : [...discovery([134, 135, 136], accept), ...multicastQuery(accept)]),
    ...dhcpReply(family, accept),
    ...ruleset(host.own.inbound, family, 'source'),
    drop('gw:default'),
  ]
}

/** What the hypervisor itself may send; nothing when no firewall speaks of it. */
export function ownOutbound(host: HostModel, family: Family): readonly Rule[] {
  if (host.own.outbound.kind === 'unfiltered') return []
  return [
    ...managementFloor(host, family, 'destination'),
    { output: 'lo', matches: [], comment: 'gw:loopback', target: accept },
    related(accept),
    replies(accept),
    ...(family === 4 ? [] : [...discovery([133, 135, 136], accept), ...multicastReports(accept)]),
    ...dhcpClient(family, accept),
    ...ruleset(host.own.outbound, family, 'destination'),
    drop('gw:default'),
  ]
}

function ruleset(rules: Ruleset, family: Family, peerEnd: 'source' | 'destination'): readonly Rule[] {
  return policyRules(rules, { family, peerEnd, allow: accept })
}

/**
 * SSH from the management sources, and its answers. The answers do not lean on conntrack: after a flush of its table the
 * server may speak first, and would then not count as answering.
 */
function managementFloor(
  host: HostModel,
  family: Family,
  peerEnd: 'source' | 'destination',
): readonly Rule[] {
  const peer = peerForm(managementList(host), family)
  if (peer.kind === 'nobody' || peer.kind === 'any') return []
  const ssh = { first: 22, last: 22 }
  return [
    {
      ...(peer.kind === 'prefix' && !peer.prefix.endsWith('/0') ? { [peerEnd]: peer.prefix } : {}),
      protocol: 6,
      matches: [
        {
          kind: 'ports',
          protocol: 'tcp',
          ...(peerEnd === 'source' ? { destination: ssh } : { source: ssh }),
        },
        ...(peer.kind === 'set' ? [{ kind: 'set' as const, name: peer.name, end: peerEnd }] : []),
      ],
      comment: 'gw:management',
      target: accept,
    },
  ]
}
