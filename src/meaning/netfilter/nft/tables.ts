import type { BaseChain } from '../hooks.ts'
import { type Elements, readElements } from './elements.ts'
import { type SetLookup } from './relation.ts'
import { compileRule } from './rule.ts'
import { type ChainText, type TableText, parseRuleset } from './ruleset.ts'
import { type Token } from './tokens.ts'
import type { ValueType } from './value.ts'

/**
 * The base chains of `nft list ruleset`, each rule compiled. `isElsewhere` says which tables are read from another tool's output:
 * those of iptables-nft are nft tables too.
 */
export function rulesetChains(
  text: string,
  isElsewhere: (family: string, name: string) => boolean,
): readonly BaseChain[] {
  return parseRuleset(text)
    .filter(({ family, name, isDormant }) => !isDormant && !isElsewhere(family, name))
    .flatMap(tableChains)
}

function tableChains(table: TableText): readonly BaseChain[] {
  const ruleTable = { family: table.family, sets: setsOf(table) }
  const where = (chain: string) => `${table.family} ${table.name} ${chain}`
  const chains = new Map(
    [...table.chains].map(([name, { rules }]) => [
      name,
      rules.map((line) => compileRule(line, where(name), ruleTable)),
    ]),
  )
  return [...table.chains].flatMap(([name, chain]) =>
    baseOf(chain).flatMap((base) =>
      familiesOf(table.family, base.hook).map((family) => ({
        ...base,
        family,
        priority: readPriority(base.priority, table.family),
        name,
        chains,
        policyHop: { where: where(name), line: chain.base?.line ?? '' },
      })),
    ),
  )
}

/** `inet` stands for both IP families; its `ingress` is that of a device. */
function familiesOf(family: string, hook: string): readonly string[] {
  if (family !== 'inet') return [family]
  return hook === 'ingress' ? ['netdev'] : ['ip', 'ip6']
}

/** Elements are read for the fields that look them up, once for each. */
function setsOf({ sets }: TableText): SetLookup {
  const known = new Map<string, Elements>()
  return (name, types: readonly ValueType[]) => {
    const set = sets.get(name)
    if (set === undefined) return undefined
    const key = `${name} ${types.map((type) => `${type.name}${type.bits}`).join('.')}`
    const elements = known.get(key) ?? readElements(set.elements, types, `"${name}"`)
    known.set(key, elements)
    return elements
  }
}

interface Base {
  readonly hook: string
  readonly devices: readonly string[]
  readonly type: BaseChain['type']
  readonly priority: readonly string[]
  readonly policy: BaseChain['policy']
}

/** `type filter hook prerouting priority dstnat + 5; policy accept;`, with `device "x"` or `devices = { x, y }` in between. */
function baseOf({ base }: ChainText): readonly Base[] {
  if (base === undefined) return []
  const tokens = base.tokens
  const [, type, , hook] = tokens.map(({ text }) => text)
  if (hook === undefined) return []
  const after = (word: string) => tokens.findIndex(({ text, isQuoted }) => text === word && !isQuoted) + 1
  const priorityAt = after('priority')
  const end = tokens.findIndex(({ text }, index) => index >= priorityAt && text === ';')
  const policyAt = after('policy')
  return [
    {
      hook,
      devices: devicesOf(tokens.slice(4, Math.max(4, priorityAt - 1))),
      type: type === 'nat' || type === 'route' ? type : 'filter',
      priority:
        priorityAt === 0 ? [] : tokens.slice(priorityAt, end < 0 ? undefined : end).map(({ text }) => text),
      policy: policyAt > 0 && tokens[policyAt]?.text === 'drop' ? 'drop' : 'accept',
    },
  ]
}

function devicesOf(tokens: readonly Token[]): readonly string[] {
  return tokens
    .filter(({ text, isQuoted }) => isQuoted || !/^(device|devices|=|\{|\}|,)$/.test(text))
    .map(({ text }) => text)
}

/** nft(8), "Standard priority names": those of the bridge family differ. */
const priorities: Readonly<Record<'bridge' | 'other', Readonly<Record<string, number>>>> = {
  bridge: { dstnat: -300, filter: -200, out: 100, srcnat: 300 },
  other: { raw: -300, mangle: -150, dstnat: -100, filter: 0, security: 50, srcnat: 100 },
}

function readPriority(words: readonly string[], family: string): number {
  const names = priorities[family === 'bridge' ? 'bridge' : 'other']
  const [base = '', sign, offset = '0'] = words
  const start = /^-?\d+$/.test(base) ? Number(base) : Object.hasOwn(names, base) ? (names[base] ?? 0) : 0
  const by = /^\d+$/.test(offset) ? Number(offset) : 0
  return sign === '-' ? start - by : sign === '+' ? start + by : start
}
