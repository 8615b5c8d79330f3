import { assumedFacts } from '../kernel/assumed-facts.ts'
import type { HostModel, RuleId } from '../model/model.ts'
import { desiredState } from '../reconcile.ts'
import { plainJson } from '../report/escape.ts'
import { formatHostPolicy, formatNicPolicy, formatRulePolicy } from '../report/text/policy.ts'
import { formatState } from '../report/text/state.ts'
import { hasErrors } from '../compile.ts'
import { suggest } from '../repo/suggest.ts'
import type { ExitCode } from './exit-code.ts'
import { type Inputs, readInputs } from './inputs.ts'
import { outPainter, writeOut } from './output.ts'
import { writeReport } from './report-output.ts'
import { type Context, type Options, UsageError } from './options.ts'

/** What can be shown. */
export const shownThings = ['host', 'guest', 'rule'] as const

/** `reconcile show host|guest|rule NAME`: from Git alone, no host is asked. */
export async function show(
  { options }: Context,
  thing: (typeof shownThings)[number],
  name: string,
): Promise<ExitCode> {
  const inputs = await readInputs(options)
  if (hasErrors(inputs.problems)) {
    await writeReport(
      { command: 'plan', commit: inputs.commit, outcomes: [], rules: new Map(), problems: inputs.problems },
      options,
    )
    return 1
  }
  switch (thing) {
    case 'host':
      await showHost(inputs, options, name)
      break
    case 'guest':
      await showGuest(inputs, options, name)
      break
    case 'rule':
      await showRule(inputs, options, name)
      break
  }
  return 0
}

async function showHost({ compiled }: Inputs, options: Options, name: string): Promise<void> {
  const { hosts, rules } = compiled.model
  const host =
    hosts.find((candidate) => candidate.name === name) ??
    unknown(
      'hypervisor',
      name,
      hosts.map((one) => one.name),
    )
  const state = desiredState(host, assumedFacts(host))
  if (options.format === 'json') {
    const byKind = Object.fromEntries(
      [...state].map(([kind, objects]) => [kind, Object.fromEntries(objects)]),
    )
    return await writeOut(`${plainJson({ version: 1, host, state: byKind })}\n`, options)
  }
  const paint = outPainter(options)
  const policy = formatHostPolicy(host, rules, paint)
  await writeOut(`${[...policy, '', ...formatState(state, paint)].join('\n')}\n`, options)
}

async function showGuest({ compiled }: Inputs, options: Options, name: string): Promise<void> {
  const { hosts, rules } = compiled.model
  const nics = hosts.flatMap((host) => host.nics.map((nic) => ({ host: host.name, nic })))
  const own = nics.filter(({ nic }) => nic.guest === name)
  if (own.length === 0) unknown('guest', name, new Set(nics.map(({ nic }) => nic.guest)))
  if (options.format === 'json')
    return await writeOut(`${plainJson({ version: 1, guest: name, nics: own })}\n`, options)
  const lines = own.flatMap(({ host, nic }) => formatNicPolicy(host, nic, rules, outPainter(options)))
  await writeOut(`${lines.join('\n')}\n`, options)
}

async function showRule({ compiled }: Inputs, options: Options, name: string): Promise<void> {
  // As it stands in the inventory of a host: a bare id, or a flow's cookie (invariant 1).
  const id = name
    .toLowerCase()
    .replace(/^0x6777/, '')
    .replace(/^gitwall:/, '') as RuleId
  const { hosts, rules } = compiled.model
  const origin = rules.get(id) ?? unknown('rule', name, rules.keys())
  const places = placesOf(hosts, id)
  if (options.format === 'json')
    return await writeOut(`${plainJson({ version: 1, id, origin, places })}\n`, options)
  await writeOut(`${formatRulePolicy({ id, origin, places }, outPainter(options)).join('\n')}\n`, options)
}

/** Where a rule is enforced. Without `guest` it is the host's own firewall. */
function placesOf(hosts: readonly HostModel[], id: RuleId) {
  const has = ({ inbound, outbound }: HostModel['own']) =>
    [...inbound.rules, ...outbound.rules].some((rule) => rule.id === id)
  return hosts.flatMap((host) => [
    ...(has(host.own) ? [{ host: host.name }] : []),
    ...host.nics.filter(has).map(({ guest, port }) => ({ host: host.name, guest, port })),
  ])
}

function unknown(what: string, name: string, known: Iterable<string>): never {
  const near = suggest(name, known)
  throw new UsageError(`no ${what} "${name}"${near === undefined ? '' : `: did you mean "${near}"?`}`)
}
