import { type Address, familyOf } from '../net/address.ts'
import { representatives } from '../net/boundary.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Model, RuleOrigin } from '../model/model.ts'
import { type Problem, formatSource } from '../repo/problem.ts'
import type { PeerDocument, ServiceMatch, TestDocument } from '../repo/repo.ts'
import type { Packet } from './packet.ts'
import { type PolicyVerdict, judge } from './policy.ts'

/** The packets of one test would be more than this: it must be split. */
const packetLimit = 100_000

/**
 * Runs the policies' own `tests:`. A test over sets or groups holds only if it holds for every address in them: one packet is
 * tried for each class of addresses that the model's lists tell apart. A failing test is an error that names the deciding rule.
 */
export function runPolicyTests(
  model: Model,
  tests: readonly TestDocument[],
  prefixesOf: (peer: PeerDocument) => readonly Prefix[],
): readonly Problem[] {
  const lists = model.hosts.flatMap((host) => [
    ...host.management,
    ...host.lists.flatMap((list) => list.prefixes),
    ...host.nics.flatMap((nic) =>
      nic.addresses.map((address) => `${address}/${address.includes(':') ? 128 : 32}` as Prefix),
    ),
  ])
  const known = [...new Set(lists)]
  return tests.flatMap((test) => runTest(test))

  function runTest(test: TestDocument): readonly Problem[] {
    const sources = prefixesOf(test.from).flatMap((prefix) => representatives(prefix, known))
    const destinations = prefixesOf(test.to).flatMap((prefix) => representatives(prefix, known))
    const at = { at: test.source, severity: 'error' as const }
    const packets = packetsOf(test.service, sources, destinations)
    if (sources.length * destinations.length > packetLimit)
      return [
        {
          ...at,
          code: 'test-too-wide',
          message: `test "${test.name}" means more than ${packetLimit} packets: split it`,
        },
      ]
    if (packets.length === 0)
      return [
        {
          ...at,
          code: 'test-without-packets',
          message: `test "${test.name}" means no packet: "from" and "to" have no address of one family that the protocol fits`,
        },
      ]
    const wrong = packets
      .map((packet) => ({ packet, verdict: judge(model, packet) }))
      .find(({ verdict }) => (verdict.verdict === 'allow' ? 'allow' : 'deny') !== test.expect)
    return wrong === undefined
      ? []
      : [{ ...at, code: 'test-failed', message: explain(test, wrong.packet, wrong.verdict, model.rules) }]
  }
}

function packetsOf(
  service: ServiceMatch,
  sources: readonly Address[],
  destinations: readonly Address[],
): readonly Packet[] {
  return sources.flatMap((source) =>
    destinations
      .filter((destination) => familyOf(source) === familyOf(destination) && source !== destination)
      .flatMap((destination) => packetOf(service, source, destination)),
  )
}

const numbers = { tcp: 6, udp: 17, sctp: 132 } as const

/** A test's service names one protocol; ports without a number stand for a port that no rule names. */
function packetOf(service: ServiceMatch, source: Address, destination: Address): readonly Packet[] {
  const family = familyOf(source)
  switch (service.protocol) {
    case 'any':
      return [{ source, destination, protocol: 253 }]
    case 'number':
      return [{ source, destination, protocol: service.number }]
    case 'icmp':
    case 'icmp6': {
      if (family !== (service.protocol === 'icmp' ? 4 : 6)) return []
      return [
        {
          source,
          destination,
          protocol: family === 4 ? 1 : 58,
          ...(service.type === undefined ? {} : { icmpType: service.type }),
          ...(service.code === undefined ? {} : { icmpCode: service.code }),
        },
      ]
    }
    default: {
      const protocol = numbers[service.protocol]
      const ports = service.ports.flatMap(({ first, last }) => (first === last ? [first] : [first, last]))
      if (ports.length === 0) return [{ source, destination, protocol }]
      return ports.map((destinationPort) => ({ source, destination, protocol, destinationPort }))
    }
  }
}

function explain(
  test: TestDocument,
  packet: Packet,
  verdict: PolicyVerdict,
  rules: ReadonlyMap<string, RuleOrigin>,
): string {
  const last = verdict.judgements.at(-1)
  const rule = last === undefined ? undefined : rules.get(last.by)
  const decided =
    last === undefined
      ? 'nothing on the way filters it'
      : rule === undefined
        ? `${last.place}: ${last.by}`
        : `${last.place}: "${rule.name}" of firewall "${rule.firewall}" at ${formatSource(rule.source)}`
  const port = packet.destinationPort === undefined ? '' : ` port ${packet.destinationPort}`
  return (
    `test "${test.name}" expects ${test.expect}, but ${packet.source} → ${packet.destination} protocol ${packet.protocol}${port} ` +
    `is ${verdict.verdict === 'allow' ? 'allowed' : 'denied'}; decided by ${decided}: change the rule or the test`
  )
}
