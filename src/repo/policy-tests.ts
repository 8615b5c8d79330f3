import { fail } from './collect.ts'
import { type PolicyContext, checkName } from './firewalls.ts'
import { readPeer } from './peer.ts'
import type { Problem } from './problem.ts'
import { quote } from './quote.ts'
import type { PeerDocument, ServiceMatch, TestDocument } from './repo.ts'
import { formatService } from './service.ts'
import { readServices } from './service-names.ts'
import { type Node, child, textOf } from './yaml-node.ts'

/** Reads one entry of `tests:`. */
export function readTest(node: Node, context: PolicyContext, problems: Problem[]): TestDocument | undefined {
  const name = textOf(child(node, 'name'))
  const from = readEnd(child(node, 'from'), context, problems)
  const to = readEnd(child(node, 'to'), context, problems)
  const service = readPort(child(node, 'port'), context, problems)
  const expect = textOf(child(node, 'expect'))
  if (name === undefined || from === undefined || to === undefined || service === undefined) return undefined
  if (expect !== 'allow' && expect !== 'deny') return undefined
  if (!checkName(name, child(node, 'name')?.at ?? node.at, problems)) return undefined
  return { name, from, to, service, expect, source: node.at }
}

function readEnd(
  node: Node | undefined,
  context: PolicyContext,
  problems: Problem[],
): PeerDocument | undefined {
  const peer = node && readPeer(node, context.names, problems)
  if (peer?.kind !== 'any') return peer
  fail(
    problems,
    'bad-test',
    peer.at,
    'a test needs addresses: write an address, guest:NAME, group:NAME or set:NAME instead of "any"',
  )
  return undefined
}

/** One packet is tested: one protocol and one port. */
function readPort(
  node: Node | undefined,
  context: PolicyContext,
  problems: Problem[],
): ServiceMatch | undefined {
  if (node === undefined) return undefined
  const before = problems.length
  const matches = readServices(node, context.services, problems)
  const [match] = matches
  if (match === undefined || problems.length > before) return undefined
  if (matches.length > 1)
    fail(
      problems,
      'bad-test',
      node.at,
      `${quote(textOf(node) ?? '')} is ${matches.map(formatService).join(' and ')}: test one of them`,
    )
  else if (match.protocol === 'any' || ('ports' in match && !isOnePort(match)))
    fail(
      problems,
      'bad-test',
      node.at,
      `${quote(textOf(node) ?? '')} is not one port: write tcp/443, udp/53 or icmp`,
    )
  else return match
  return undefined
}

function isOnePort({ ports, sourcePorts }: Extract<ServiceMatch, { readonly ports: unknown }>): boolean {
  const [port] = ports
  return ports.length === 1 && port?.first === port?.last && sourcePorts.length === 0
}
