import type { Model, RuleId, RuleOrigin } from '../model/model.ts'

/** Which rules the policies' own tests put to the proof. */
export interface Coverage {
  /** Enabled rules of all firewalls. */
  readonly rules: number
  readonly exercised: number
  /** The others, by place. */
  readonly missing: readonly { readonly id: RuleId; readonly origin: RuleOrigin }[]
}

/** A rule is exercised when it decided about some packet of some test, on the packet's way out or in. */
export function coverageOf(model: Model, exercised: ReadonlySet<RuleId>): Coverage {
  const missing = [...model.rules]
    .filter(([id]) => !exercised.has(id))
    .map(([id, origin]) => ({ id, origin }))
  missing.sort((a, b) => compareSources(a.origin, b.origin))
  return { rules: model.rules.size, exercised: model.rules.size - missing.length, missing }
}

/** Whole per cent, rounded down: 100 means every rule. */
export function coveragePercent({ rules, exercised }: Coverage): number {
  return rules === 0 ? 100 : Math.floor((100 * exercised) / rules)
}

function compareSources({ source: a }: RuleOrigin, { source: b }: RuleOrigin): number {
  return Number(a.file > b.file) - Number(a.file < b.file) || a.line - b.line || a.column - b.column
}
