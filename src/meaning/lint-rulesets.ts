import type { Direction, Model, Rule, RuleId, Ruleset } from '../model/model.ts'
import { type Problem, formatSource } from '../repo/problem.ts'
import { quote, quoteList } from '../repo/quote.ts'
import { type WorldPorts, exposedPorts, worldWide, noPorts } from './lint-exposure.ts'
import { type Line, classesOfLines, decide, everywhere } from './space.ts'
import type { AddressClass } from './space-addresses.ts'
import { type Services, intersection, isNothing, without } from './space-services.ts'

/** What is found out about one rule over all places where it stands. */
interface Finding {
  readonly rule: Rule
  readonly direction: Direction
  /** Some packet matches it. */
  matches: boolean
  /** It decides about some packet somewhere. */
  decides: boolean
  /** Without it some packet would meet another verdict somewhere. */
  matters: boolean
  /** The rules that decide before it. */
  readonly before: Set<RuleId>
  /** Management ports that it opens, with how many addresses may use them. */
  exposed: WorldPorts
}

/** Warnings about rules that decide nothing, change nothing, or open too much, by exact algebra over every ruleset of the model. */
export function lintRulesets(model: Model): readonly Problem[] {
  const rulesets = rulesetsOf(model)
  const findings = new Map<RuleId, Finding>()
  for (const { ruleset, direction } of rulesets) judgeRules(ruleset, direction, findings)
  findMatters(
    rulesets.map(({ ruleset }) => ruleset),
    findings,
  )
  return [...findings.values()].flatMap((finding) => problemOf(finding, model))
}

/** Each ruleset once; the places that share one share its warnings. */
function rulesetsOf(model: Model): readonly { readonly ruleset: Ruleset; readonly direction: Direction }[] {
  const directions = new Map<Ruleset, Direction>()
  for (const host of model.hosts)
    for (const { inbound, outbound } of [host.own, ...host.nics]) {
      directions.set(inbound, 'inbound')
      directions.set(outbound, 'outbound')
    }
  return [...directions]
    .filter(([ruleset]) => ruleset.kind === 'filtered')
    .map(([ruleset, direction]) => ({ ruleset, direction }))
}

function judgeRules({ rules }: Ruleset, direction: Direction, findings: Map<RuleId, Finding>): void {
  for (const rule of rules) if (!findings.has(rule.id)) findings.set(rule.id, newFinding(rule, direction))
  for (const { addresses, lines } of classesOfLines(rules, everywhere)) {
    const decisions = decide(lines, addresses.family)
    for (const [index, { line, matched, decided }] of decisions.entries()) {
      const finding = findingOf(line, findings)
      if (finding === undefined) continue
      finding.matches ||= !isNothing(matched)
      if (!isNothing(decided)) {
        finding.decides = true
        noteExposure(finding, decided, addresses)
      } else if (!finding.decides)
        for (const earlier of decisions.slice(0, index))
          if (earlier.line.id !== undefined && !isNothing(intersection(earlier.decided, matched)))
            finding.before.add(earlier.line.id)
    }
  }
}

function newFinding(rule: Rule, direction: Direction): Finding {
  return {
    rule,
    direction,
    matches: false,
    decides: false,
    matters: false,
    before: new Set(),
    exposed: noPorts,
  }
}

function findingOf({ id }: Line, findings: ReadonlyMap<RuleId, Finding>): Finding | undefined {
  return id === undefined ? undefined : findings.get(id)
}

function noteExposure(finding: Finding, decided: Services, addresses: AddressClass): void {
  if (finding.rule.verdict === 'allow' && finding.direction === 'inbound')
    finding.exposed = exposedPorts(finding.exposed, decided, addresses)
}

/**
 * Marks the rules without which some packet would meet another verdict, with all other rules there. A rule that is left is marked, too,
 * when it matters once all that was found superfluous before it is gone: whoever removes everything that is reported changes nothing.
 */
function findMatters(rulesets: readonly Ruleset[], findings: ReadonlyMap<RuleId, Finding>): void {
  for (const { rules } of rulesets) markMattering(rules, findings)
  const gone = new Set<RuleId>()
  for (const [id, finding] of findings) if (!finding.decides) gone.add(id)
  const candidates = [...findings].filter(([, finding]) => finding.decides && !finding.matters)
  if (candidates.length === 0) return
  const rulesetsByRule = new Map<RuleId, Ruleset[]>(candidates.map(([id]) => [id, []]))
  for (const ruleset of rulesets) for (const { id } of ruleset.rules) rulesetsByRule.get(id)?.push(ruleset)
  for (const [id, finding] of candidates) {
    for (const { rules } of rulesetsByRule.get(id) ?? [])
      markMattering(
        rules.filter((rule) => !gone.has(rule.id)),
        new Map([[id, finding]]),
      )
    if (!finding.matters) gone.add(id)
  }
}

function markMattering(rules: readonly Rule[], findings: ReadonlyMap<RuleId, Finding>): void {
  const isOpen = (rule: Rule) => findings.get(rule.id)?.matters === false
  if (!rules.some(isOpen)) return
  for (const { addresses, lines } of classesOfLines(rules, everywhere)) {
    const decisions = decide(lines, addresses.family)
    for (const [index, { line, decided }] of decisions.entries()) {
      const finding = findingOf(line, findings)
      if (finding !== undefined && !finding.matters && !isNothing(decided))
        finding.matters = changesVerdict(line, decided, decisions.slice(index + 1))
    }
  }
}

/** Would any of `decided` meet another verdict if it were left to the later lines and the final "deny"? */
function changesVerdict(line: Line, decided: Services, later: ReturnType<typeof decide>): boolean {
  let left = decided
  for (const { line: next, matched } of later) {
    const taken = intersection(matched, left)
    if (isNothing(taken)) continue
    if (next.verdict !== line.verdict) return true
    left = without(left, taken)
  }
  return !isNothing(left) && line.verdict !== 'deny'
}

function problemOf(finding: Finding, model: Model): readonly Problem[] {
  const { rule } = finding
  const origin = model.rules.get(rule.id)
  const advice = origin === undefined ? undefined : adviceOf(finding, model)
  if (origin === undefined || advice === undefined) return []
  const what = `rule ${quote(origin.name)} of firewall ${quote(origin.firewall)}`
  return [{ code: advice.code, severity: 'warning', at: origin.source, message: `${what} ${advice.text}` }]
}

function adviceOf(
  finding: Finding,
  model: Model,
): { readonly code: string; readonly text: string } | undefined {
  const { rule, direction } = finding
  if (rule.peer !== 'any' && rule.peer.prefixes.length === 0) {
    const who = rule.peer.name.startsWith('rule:') ? 'its peers have' : `${quote(rule.peer.name)} has`
    return { code: 'matches-nobody', text: `matches nobody: ${who} no address: add some, or remove the rule` }
  }
  if (!finding.matches)
    return {
      code: 'matches-no-packet',
      text: 'matches no packet: its services are of the other IP version than its addresses: correct one of them',
    }
  if (!finding.decides)
    return {
      code: 'shadowed-rule',
      text: `never decides: all that it matches is decided before it by ${nameRules(finding.before, model)}: move it up, or remove it`,
    }
  if (!finding.matters && !isFinalDeny(rule))
    return {
      code: 'redundant-rule',
      text: 'changes nothing: without it every packet meets the same verdict: remove it',
    }
  if (rule.verdict !== 'allow' || direction !== 'inbound') return undefined
  if (rule.peer === 'any' && rule.services.some((service) => service.protocol === 'any'))
    return { code: 'open-to-all', text: 'allows everything from anybody: name the services, or the sources' }
  const ports = worldWide(finding.exposed)
  return ports.length === 0
    ? undefined
    : {
        code: 'management-port-open',
        text: `lets the whole world reach ${ports.join(', ')}: name the sources that need it`,
      }
}

/** Some write the end of the list out; it does no harm. */
function isFinalDeny({ verdict, peer, services }: Rule): boolean {
  return verdict === 'deny' && peer === 'any' && services.some((service) => service.protocol === 'any')
}

function nameRules(ids: ReadonlySet<RuleId>, model: Model): string {
  const origins = [...ids].flatMap((id) => model.rules.get(id) ?? [])
  const [only] = origins
  if (only !== undefined && origins.length === 1)
    return `rule ${quote(only.name)} of firewall ${quote(only.firewall)} (${formatSource(only.source)})`
  return `rules ${quoteList(origins.map((origin) => origin.name))}`
}
