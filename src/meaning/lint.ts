import type { Model } from '../model/model.ts'
import { type Prefix, subtract } from '../net/prefix.ts'
import type { Problem } from '../repo/problem.ts'
import { formatSource } from '../repo/problem.ts'
import type { FirewallDocument, Repo, RuleDocument, ServiceMatch, SetDocument } from '../repo/repo.ts'
import { formatService } from '../repo/service.ts'
import { quote } from '../repo/quote.ts'
import { groupBy } from './groups.ts'
import { lintRulesets } from './lint-rulesets.ts'

/** More destination ports than this beside a source port are a hole, see `sourcePortRules`. */
const fewPorts = 1024

/**
 * What is legal and most likely not meant: warnings, each with its place and what to do. Exact where it speaks of packets. For a
 * repository without errors; firewalls that protect nothing, and pairs that cover a gateway, were told when the files were read.
 */
export function lint(repo: Repo, model: Model): readonly Problem[] {
  const firewalls = [...repo.firewalls.values()]
  return [
    ...firewalls.flatMap((firewall) => rulesOf(firewall).flatMap((rule) => lintRule(rule, firewall))),
    ...equalSets([...repo.sets.values()]),
    ...lintRulesets(model),
  ]
}

function rulesOf({ inbound, outbound }: FirewallDocument): readonly RuleDocument[] {
  return [...(inbound ?? []), ...(outbound ?? [])]
}

function lintRule(rule: RuleDocument, firewall: FirewallDocument): readonly Problem[] {
  const what = `rule ${quote(rule.name)} of firewall ${quote(firewall.name)}`
  const at = { severity: 'warning' as const, at: rule.source }
  if (!rule.enabled)
    return [
      {
        ...at,
        code: 'rule-disabled',
        message: `${what} is switched off: remove it, or remove "enabled: false"`,
      },
    ]
  const wide = rule.verdict === 'allow' ? rule.services.filter(isOpenToSourcePort) : []
  return wide.map((service) => ({
    ...at,
    code: 'source-port-rule',
    message:
      `${what} allows ${quote(formatService(service))}: whoever sends chooses the source port, so this opens all those ports: ` +
      'name destination ports (replies need no rule)',
  }))
}

/** A source port beside few destination ports narrows a rule; beside all of them it is the only guard, and no guard. */
function isOpenToSourcePort(service: ServiceMatch): boolean {
  if (!('ports' in service) || service.sourcePorts.length === 0) return false
  const count = service.ports.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  return service.ports.length === 0 || count > fewPorts
}

function equalSets(sets: readonly SetDocument[]): readonly Problem[] {
  const members = sets.map((set) => ({ set, prefixes: subtract(set.include, set.exclude) }))
  const filled = members.filter(({ prefixes }) => prefixes.length > 0)
  return groupBy(filled, ({ prefixes }) => keyOf(prefixes)).flatMap(([first, ...others]) =>
    others.map(({ set }) => ({
      code: 'equal-sets',
      severity: 'warning' as const,
      at: set.source,
      message:
        `set ${quote(set.name)} has the same members as ${quote(first?.set.name ?? '')} ` +
        `(${first === undefined ? '' : formatSource(first.set.source)}): keep one of them`,
    })),
  )
}

function keyOf(prefixes: readonly Prefix[]): string {
  return prefixes.join()
}
