import type { Family } from '../../../net/address.ts'
import type { Item, Rule } from '../chain.ts'
import type { BaseChain } from '../hooks.ts'
import { doubt } from '../truth.ts'
import { readHeader } from './header.ts'
import { type HostTables, matchTests } from './matches.ts'
import { type TableText, parseSave } from './save.ts'
import { targetItems } from './targets.ts'
import { readRule } from './words.ts'

/** Hooks of the built-in chains. */
const hookOf: Readonly<Record<string, string>> = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
  POSTROUTING: 'postrouting',
}

/** `enum nf_ip_hook_priorities`; of `nat` where it changes the destination. */
const priorities: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  nat: -100,
  filter: 0,
  security: 50,
}

/** `nat` where it changes the source (NF_IP_PRI_NAT_SRC). */
const sourceNatPriority = 100

/** The built-in chains of `iptables-save` (family 4) or `ip6tables-save` (family 6), each rule compiled. */
export function saveChains(text: string, family: Family, host: HostTables): readonly BaseChain[] {
  return parseSave(text).flatMap((table) => tableChains(table, family, host))
}

function tableChains(table: TableText, family: Family, host: HostTables): readonly BaseChain[] {
  const name = family === 4 ? 'ip' : 'ip6'
  const chains = new Map(
    [...table.chains].map(([chain, { rules }]) => [
      chain,
      rules.map((line) =>
        compileRule(line, `${name} ${table.name} ${chain}`, { chains: table.chains, family, host }),
      ),
    ]),
  )
  return [...table.chains].flatMap(([chain, { policy, declaration }]): BaseChain[] => {
    const hook = policy === '-' || !Object.hasOwn(hookOf, chain) ? undefined : hookOf[chain]
    if (hook === undefined) return []
    const isSourceNat = table.name === 'nat' && (hook === 'postrouting' || hook === 'input')
    return [
      {
        family: name,
        hook,
        devices: [],
        priority: isSourceNat ? sourceNatPriority : (priorities[table.name] ?? 0),
        type: table.name === 'nat' ? 'nat' : 'filter',
        name: chain,
        chains,
        policy: policy === 'DROP' ? 'drop' : 'accept',
        policyHop: { where: `${name} ${table.name} ${chain}`, line: declaration },
      },
    ]
  })
}

interface Surroundings {
  readonly chains: TableText['chains']
  readonly family: Family
  readonly host: HostTables
}

function compileRule(line: string, where: string, { chains, family, host }: Surroundings): Rule {
  const hop = { where, line }
  const text = readRule(line.replace(/^-A \S+\s*/, ''))
  if (text === undefined)
    return { hop, items: [{ kind: 'verdict', verdict: { kind: 'unknown', why: 'not a rule' } }] }
  const header = text.header.map((option) => {
    const answer = doubt(`${option.isNegated ? '! ' : ''}${option.name} ${option.values.join(' ')}`)
    return readHeader(option) ?? (() => answer)
  })
  const tests = [...header, ...text.matches.flatMap((match) => matchTests(match, host))]
  const items = tests.map((test): Item => ({ kind: 'test', test }))
  return { hop, items: [...items, ...targetItems(text.target, chains, family)] }
}
