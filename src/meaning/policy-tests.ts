import type { Prefix } from '../net/prefix.ts'
import type { Model, RuleId, RuleOrigin } from '../model/model.ts'
import { type Problem, formatSource } from '../repo/problem.ts'
import type { PeerDocument, TestDocument } from '../repo/repo.ts'
import type { Packet } from './packet.ts'
import { packetsOf } from './policy-packets.ts'
import { type PolicyVerdict, judge } from './policy.ts'
import { representativesIn } from './policy-tests-classes.ts'

/** The packets of one test would be more than this: it must be split. */
const packetLimit = 100_000

/** How the policies' own tests went. */
export interface TestRun {
  readonly problems: readonly Problem[]
  /** Every rule that decided on some packet of some test, on its way out or in. */
  readonly exercised: ReadonlySet<RuleId>
}

/**
 * Runs the policies' own `tests:`. A test over sets or groups holds only if it holds for every address in them: packets are
 * tried for each kind of address that the policy tells apart. A failing test is an error that names the deciding rule.
 */
export function runPolicyTests(
  model: Model,
  tests: readonly TestDocument[],
  prefixesOf: (peer: PeerDocument) => readonly Prefix[],
): TestRun {
  const exercised = new Set<RuleId>()
  if (tests.length === 0) return { problems: [], exercised }
  const representatives = representativesIn(model)
  return { problems: tests.flatMap((test) => runTest(test)), exercised }

  function runTest(test: TestDocument): readonly Problem[] {
    const sources = representatives(prefixesOf(test.from))
    const destinations = representatives(prefixesOf(test.to))
    const at = { at: test.source, severity: 'error' as const }
    if (sources.length * destinations.length > packetLimit)
      return [
        {
          ...at,
          code: 'test-too-wide',
          message: `test "${test.name}" means more than ${packetLimit} packets: split it`,
        },
      ]
    const packets = packetsOf(test.service, sources, destinations)
    if (packets.length === 0)
      return [
        {
          ...at,
          code: 'test-without-packets',
          message: `test "${test.name}" means no packet: "from" and "to" have no address of one family that the protocol fits`,
        },
      ]
    const wrong = packets.flatMap((packet) => {
      const verdict = judgeAndNote(packet)
      return (verdict.verdict === 'allow' ? 'allow' : 'deny') === test.expect ? [] : [{ packet, verdict }]
    })
    const [first] = wrong
    return first === undefined
      ? []
      : [{ ...at, code: 'test-failed', message: explain(test, first.packet, first.verdict, model.rules) }]
  }

  function judgeAndNote(packet: Packet): PolicyVerdict {
    const verdict = judge(model, packet)
    for (const { by } of verdict.judgements) if (model.rules.has(by as RuleId)) exercised.add(by as RuleId)
    return verdict
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
