import type { Family } from '../../../net/address.ts'
import type { Item, Verdict } from '../chain.ts'
import {
  changeSetEffect,
  copyMarkEffect,
  hopLimitEffect,
  notrack,
  setMarkEffect,
  unknownMarkEffect,
} from '../effects.ts'
import { readMarkAndMask } from './connection.ts'
import type { Option, RuleText } from './words.ts'

/** Targets after which the next rule is tried, and that change nothing a rule can see. See iptables-extensions(8). */
const harmless: ReadonlySet<string> = new Set(
  'LOG NFLOG ULOG TRACE TEE AUDIT LED IDLETIMER RATEEST CHECKSUM CLASSIFY DSCP TOS ECN TCPMSS TCPOPTSTRIP SECMARK CONNSECMARK'.split(
    ' ',
  ),
)

const translating: ReadonlySet<string> = new Set(['DNAT', 'SNAT', 'MASQUERADE', 'REDIRECT', 'NETMAP'])

/** What a rule does with a packet. `chains`: names that are chains of its table; a rule without target only counts. */
export function targetItems(
  target: RuleText['target'],
  chains: { readonly has: (name: string) => boolean },
  family: Family,
): readonly Item[] {
  if (target === undefined) return []
  const { name, options } = target
  if (chains.has(name)) return [verdict({ kind: target.way, chain: name })]
  if (harmless.has(name)) return []
  if (translating.has(name)) return [verdict({ kind: 'translate' })]
  switch (name) {
    case 'ACCEPT':
    case 'DROP':
    case 'RETURN':
      return [verdict({ kind: name.toLowerCase() as 'accept' | 'drop' | 'return' })]
    case 'REJECT':
      return [verdict({ kind: 'reject', how: valueOf(options, '--reject-with') ?? defaultAnswer(family) })]
    case 'MARK':
      return [markItem('mark', options) ?? unknownMarkEffect('mark')]
    case 'CONNMARK':
      return [markItem('connectionMark', options) ?? copyItem(options) ?? unknownMarkEffect('connectionMark')]
    case 'HMARK':
      return [unknownMarkEffect('mark')]
    case 'TTL':
    case 'HL':
      return [hopLimitEffect]
    case 'NOTRACK':
      return [notrack]
    case 'CT':
      return options.some((option) => option.name === '--notrack') ? [notrack] : []
    case 'SET':
      return setItems(options)
    case 'QUEUE':
    case 'NFQUEUE':
      return [verdict({ kind: 'unknown', why: `${name} asks a program` })]
    default:
      return [verdict({ kind: 'unknown', why: `-j ${name} is neither a chain nor a known target` })]
  }
}

function verdict(value: Verdict): Item {
  return { kind: 'verdict', verdict: value }
}

function defaultAnswer(family: Family): string {
  return family === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable'
}

function valueOf(options: readonly Option[], name: string): string | undefined {
  return options.find((option) => option.name === name)?.values[0]
}

/** Saved rules have `--set-xmark` only; the others are older spellings of it. */
function markItem(target: 'mark' | 'connectionMark', options: readonly Option[]): Item | undefined {
  const [option] = options
  const read = readMarkAndMask(option?.values[0])
  if (option === undefined || read === undefined) return undefined
  const { value, mask } = read
  switch (option.name) {
    case '--set-xmark':
      return setMarkEffect(target, value, mask)
    case '--set-mark':
      return setMarkEffect(target, value, (mask | value) >>> 0)
    case '--and-mark':
      return setMarkEffect(target, 0, ~value >>> 0)
    case '--or-mark':
      return setMarkEffect(target, value, value)
    case '--xor-mark':
      return setMarkEffect(target, value, 0)
    default:
      return undefined
  }
}

function copyItem(options: readonly Option[]): Item | undefined {
  const way = options.find(({ name }) => name === '--save-mark' || name === '--restore-mark')?.name
  if (way === undefined) return undefined
  const both = readMarkAndMask(valueOf(options, '--mask'))?.value
  const packetMask = readMarkAndMask(valueOf(options, '--nfmask'))?.value ?? both ?? 0xffffffff
  const connectionMask = readMarkAndMask(valueOf(options, '--ctmask'))?.value ?? both ?? 0xffffffff
  const known = ['--save-mark', '--restore-mark', '--mask', '--nfmask', '--ctmask']
  if (!options.every(({ name }) => known.includes(name)))
    return unknownMarkEffect(way === '--save-mark' ? 'connectionMark' : 'mark')
  return copyMarkEffect(way === '--save-mark' ? 'save' : 'restore', packetMask, connectionMask)
}

/** `--map-set` writes the entry's mark, priority and queue into the packet. */
function setItems(options: readonly Option[]): readonly Item[] {
  return options.flatMap(({ name, values }) => {
    if (name === '--map-set') return [unknownMarkEffect('mark')]
    const [set] = values
    return (name === '--add-set' || name === '--del-set') && set !== undefined ? [changeSetEffect(set)] : []
  })
}
