import type { Compiled } from '../compile.ts'
import type { Packet } from '../meaning/packet.ts'
import type { Hop } from '../meaning/simulation.ts'
import { hostAddresses } from '../model/addresses.ts'
import type { RuleId } from '../model/model.ts'
import { parseAddress } from '../net/address.ts'
import { plain, plainJson } from '../report/escape.ts'
import { parseService } from '../repo/service.ts'
import { formatSource } from '../repo/problem.ts'
import type { ServiceMatch } from '../repo/repo.ts'
import { suggest } from '../repo/suggest.ts'
import { hasErrors } from '../compile.ts'
import { type Trace, type TraceEnd, traceDesired, traceLive } from '../trace.ts'
import type { ExitCode } from './exit-code.ts'
import { readInputs, stoppedReport } from './inputs.ts'
import { writeReport } from './report-output.ts'
import { writeOut } from './output.ts'
import { readEffects } from './read-effects.ts'
import { type Context, UsageError } from './options.ts'

/** `reconcile trace --from A --to B --port tcp/443 [--live]`. */
export async function trace(
  context: Context,
  own: { readonly from: string; readonly to: string; readonly port: string; readonly live: boolean },
): Promise<ExitCode> {
  const { options } = context
  const inputs = await readInputs(options)
  const stopped = stoppedReport('plan', inputs)
  if (stopped !== undefined || hasErrors(inputs.problems)) {
    if (stopped !== undefined) await writeReport(stopped, options)
    return 1
  }
  const { compiled } = inputs
  const question = {
    from: endOf('--from', own.from, compiled),
    to: endOf('--to', own.to, compiled),
    service: serviceOf(own.port, compiled),
  }
  const traces = own.live
    ? await traceLive(compiled.model, question, readEffects(context))
    : traceDesired(compiled.model, question)
  if (traces.length === 0) {
    throw new UsageError('no packet: the two ends have no address of one family that the service fits')
  }
  const isVerbose = options.verbose
  await writeOut(
    options.format === 'json'
      ? `${plainJson({ version: 1, traces })}\n`
      : `${traces.flatMap((one) => formatTrace(one, question, compiled, isVerbose)).join('\n')}\n`,
    options,
  )
  return 0
}

function endOf(option: string, text: string, { repo }: Compiled): TraceEnd {
  const name = text.replace(/^(guest|host):/, '')
  const host = repo.inventory.hosts.get(name)
  if (host !== undefined) {
    const addresses = hostAddresses(host)
    if (addresses.length > 0) return { name, addresses }
    throw new UsageError(`${option}: "${name}" has no address in the inventory`)
  }
  const address = parseAddress(text)
  if (address !== undefined) return { name: text, addresses: [address] }
  const near = suggest(name, [...repo.inventory.hosts.keys()])
  throw new UsageError(
    `${option}: no guest or host "${text}", and not an address${near === undefined ? '' : `: did you mean "${near}"?`}`,
  )
}

/** The first line of a named service stands for it. */
function serviceOf(text: string, { repo }: Compiled): ServiceMatch {
  const reading = parseService(text)
  if (reading.kind === 'match') return reading.match
  if (reading.kind === 'refused') throw new UsageError(`--port: ${reading.message}`)
  const [match] = repo.services.get(text)?.matches ?? []
  if (match !== undefined) return match
  throw new UsageError(`--port: no service "${text}": write tcp/443, udp/53, icmp/8 or the name of a service`)
}

type Ends = Readonly<Record<'from' | 'to', TraceEnd>>

/** Verdict, the policy's judgements, and the deciding line; with `--verbose` every line on the way. */
function formatTrace(
  { packet, policy, state }: Trace,
  ends: Ends,
  { model }: Compiled,
  isVerbose: boolean,
): readonly string[] {
  const isSame = (policy.verdict === 'allow') === (state.verdict === 'accept')
  const origin = (id: string) => {
    const rule = model.rules.get(id as RuleId)
    return rule === undefined
      ? id
      : `${rule.firewall} / ${rule.direction} / ${rule.name} (${formatSource(rule.source)})`
  }
  const knownIds = (hop: Hop) => ruleIdsIn(hop.line).filter((id) => model.rules.has(id as RuleId))
  // What lets a packet pass is a rule; the line that sends it off afterwards says little.
  const passing = state.legs.flatMap((leg) => leg.simulation.hops).findLast((hop) => knownIds(hop).length > 0)
  const deciding = state.verdict === 'accept' ? (passing ?? state.deciding) : state.deciding
  const lineOf = (hop: Hop) => {
    const ids = knownIds(hop)
    return `    ${hop.where}: ${hop.line.trim()}${ids.length === 0 ? '' : `  # ${ids.map(origin).join(', ')}`}`
  }
  return [
    `${nameOf(ends.from, packet.source)} → ${nameOf(ends.to, packet.destination)} ${formatPacket(packet)}: ${policy.verdict}`,
    ...policy.judgements.map(({ place, verdict, by }) => `  policy  ${place}: ${verdict}, ${origin(by)}`),
    ...(policy.judgements.length === 0 ? ['  policy  nothing on the way filters it'] : []),
    `  hosts   ${state.verdict}${isSame ? '' : '  DIFFERS FROM THE POLICY'}${state.why === undefined ? '' : `: ${state.why}`}`,
    ...(isVerbose
      ? state.legs.flatMap((leg) => [`   on ${leg.host}`, ...leg.simulation.hops.map(lineOf)])
      : deciding === undefined
        ? []
        : [`   decided by`, lineOf(deciding)]),
  ].map(plain)
}

function nameOf({ name }: TraceEnd, address: string): string {
  return name === address ? address : `${name} ${address}`
}

function formatPacket({ protocol, destinationPort, icmpType }: Packet): string {
  const name = new Map([
    [6, 'tcp'],
    [17, 'udp'],
    [132, 'sctp'],
    [1, 'icmp'],
    [58, 'icmp6'],
  ]).get(protocol)
  const detail = destinationPort ?? icmpType
  return `${name ?? `proto/${protocol}`}${detail === undefined ? '' : `/${detail}`}`
}

/** Rule ids that a line of a tool carries: in a flow's cookie or a rule's comment. */
function ruleIdsIn(line: string): readonly string[] {
  return [...line.matchAll(/\bgw:([0-9a-f]{12})\b|\bcookie=0x6777([0-9a-f]{12})\b/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  )
}
