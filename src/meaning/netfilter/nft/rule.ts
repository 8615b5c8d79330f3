import type { Item, Rule, Verdict } from '../chain.ts'
import { changeSetEffect, hopLimitEffect, notrack, setMarkEffect, unknownMarkEffect } from '../effects.ts'
import type { IpView } from '../passage.ts'
import { type Truth, doubt } from '../truth.ts'
import { readVerdict } from './elements.ts'
import { findField } from './fields.ts'
import { type SetLookup, readRelation } from './relation.ts'
import type { LineText } from './ruleset.ts'
import { type Cursor, accept, peek, take, takeBlock } from './tokens.ts'

/** What a rule's table says of it. */
export interface RuleTable {
  /** `ip`, `inet`, `bridge`, … */
  readonly family: string
  readonly sets: SetLookup
}

/** Reads a rule. What is not understood is a doubt, and so is what it may then say. */
export function compileRule({ line, tokens }: LineText, where: string, table: RuleTable): Rule {
  const cursor: Cursor = { tokens, at: 0 }
  const items: Item[] = []
  while (cursor.at < tokens.length) {
    const read = readStatement(cursor, table)
    items.push(...(read ?? giveUp(cursor)))
    if (read === undefined) break
  }
  return { hop: { where, line }, items }
}

/** The rest of a rule: it may or may not match, and may decide if any word in it does. */
function giveUp(cursor: Cursor): readonly Item[] {
  const rest = cursor.tokens.slice(cursor.at)
  const words = new Set(rest.filter(({ isQuoted }) => !isQuoted).map(({ text }) => text))
  const why = `not understood: ${rest
    .map(({ text }) => text)
    .join(' ')
    .slice(0, 80)}`
  const unsure: Item = { kind: 'test', test: () => doubt(why) }
  return [
    unsure,
    ...(words.has('mark') && words.has('set')
      ? [unknownMarkEffect('mark'), unknownMarkEffect('connectionMark')]
      : []),
    ...(words.has('notrack') ? [notrack] : []),
    ...(deciding.some((word) => words.has(word)) ? [unknown(why)] : []),
  ]
}

const deciding =
  'accept drop return jump goto vmap reject queue continue target dnat snat masquerade redirect tproxy synproxy fwd'.split(
    ' ',
  )

function unknown(why: string): Item {
  return { kind: 'verdict', verdict: { kind: 'unknown', why } }
}

function unsure(why: string): Item {
  const answer = doubt(why)
  return { kind: 'test', test: () => answer }
}

function verdict(value: Verdict): Item {
  return { kind: 'verdict', verdict: value }
}

/** The items of the statement at the present place, which it takes. `undefined`: not understood. See nft(8), STATEMENTS. */
function readStatement(cursor: Cursor, { family, sets }: RuleTable): readonly Item[] | undefined {
  const start = cursor.at
  switch (peek(cursor)) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
    case 'jump':
    case 'goto':
      return readJump(cursor)
    case 'reject':
      return readReject(cursor, family === 'ip' || family === 'ip6')
    case 'counter':
      return readCounter(cursor)
    case 'comment':
      cursor.at += 2
      return []
    case 'log':
      cursor.at++
      skipOptions(cursor, logOptions)
      return []
    case 'notrack':
      cursor.at++
      return [notrack]
    case 'limit':
    case 'quota':
      return readLimit(cursor)
    case 'add':
    case 'update':
    case 'delete':
      return readSetChange(cursor)
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect':
      cursor.at = cursor.tokens.length
      return [verdict({ kind: 'translate' })]
    case 'queue':
    case 'tproxy':
    case 'synproxy':
    case 'fwd':
      cursor.at = cursor.tokens.length
      return [unknown(`nft ${cursor.tokens[start]?.text} hands the packet over`)]
    case 'flow':
      return accept(cursor, 'flow') && (accept(cursor, 'add') || accept(cursor, 'offload')) && take(cursor)
        ? []
        : undefined
    case 'xt':
      return readCompat(cursor)
    case 'tcp':
      if (peek(cursor, 1) === 'option') return readOption(cursor)
  }
  return readSet(cursor) ?? readCount(cursor) ?? readRelation(cursor, sets)
}

function readJump(cursor: Cursor): readonly Item[] | undefined {
  const words = [peek(cursor), peek(cursor, 1)]
  const value = words[1] === '{' ? undefined : readVerdict(words)
  if (value === undefined) return undefined
  cursor.at += 'chain' in value ? 2 : 1
  return [verdict(value)]
}

/**
 * nft leaves out the tests that an answer implies: `meta l4proto tcp reject with tcp reset` may be printed without its first half. And
 * nft 1.0.6 loses `meta nfproto ipv6` before a reset: unless another match says so, the family is not known.
 */
function readReject(cursor: Cursor, isOneFamily: boolean): readonly Item[] {
  const hasFamily =
    isOneFamily || cursor.tokens.slice(0, cursor.at).some(({ text }) => /^(ip|ip6|icmp|icmpv6)$/.test(text))
  const how = restOf(cursor, ['reject', 'with']) ?? 'port-unreachable'
  const [kind] = how.split(' ')
  const answer = verdict({ kind: 'reject', how })
  switch (kind) {
    case 'tcp':
      return [{ kind: 'test', test: ({ ip }) => isReset(ip, hasFamily) }, answer]
    case 'icmp':
    case 'icmpv6':
      return [
        { kind: 'test', test: ({ ip }) => ip === undefined || ip.family === (kind === 'icmp' ? 4 : 6) },
        answer,
      ]
    default:
      return [answer]
  }
}

const lostFamily = doubt('nft prints no family before an answer by TCP reset, though the rule may have one')

function isReset(ip: IpView | undefined, isFamilyKnown: boolean): Truth {
  if (ip?.packet.protocol !== 6) return false
  return isFamilyKnown || lostFamily
}

/** The words after `skip`, up to the end or a comment. */
function restOf(cursor: Cursor, skip: readonly string[]): string | undefined {
  for (const word of skip) accept(cursor, word)
  const words: string[] = []
  while (cursor.at < cursor.tokens.length && peek(cursor) !== 'comment') words.push(take(cursor)?.text ?? '')
  return words.length === 0 ? undefined : words.join(' ')
}

/** `counter`, `counter packets 5 bytes 300`, `counter name "x"`. */
function readCounter(cursor: Cursor): readonly Item[] {
  cursor.at++
  if (peek(cursor) === 'packets') cursor.at += 4
  else if (peek(cursor) === 'name') cursor.at += 2
  return []
}

const logOptions: Readonly<Record<string, number>> = {
  prefix: 2,
  group: 2,
  snaplen: 2,
  'queue-threshold': 2,
  level: 2,
  flags: 2,
}

function skipOptions(cursor: Cursor, counts: Readonly<Record<string, number>>): void {
  for (;;) {
    const word = peek(cursor)
    const count = Object.hasOwn(counts, word) ? counts[word] : undefined
    if (count === undefined) return
    // `log flags tcp sequence,options` and `log flags ip options`.
    if (word === 'flags' && /^(tcp|ip)$/.test(peek(cursor, 1))) cursor.at++
    cursor.at += count
  }
}

/** `limit rate [over] 10/minute [burst 5 packets]`, `quota over 5 mbytes`, and either by name. Time decides. */
function readLimit(cursor: Cursor): readonly Item[] {
  const start = cursor.at
  cursor.at++
  while (cursor.at < cursor.tokens.length && isLimitWord(cursor)) cursor.at++
  return [
    unsure(
      `nft ${cursor.tokens
        .slice(start, cursor.at)
        .map(({ text }) => text)
        .join(' ')}`,
    ),
  ]
}

function isLimitWord(cursor: Cursor): boolean {
  const text = peek(cursor)
  return (
    /^(rate|over|until|used|burst|name|packets|bytes|[kmg]bytes)$/.test(text) || /^\d+$|^".*"$|\//.test(text)
  )
}

/** `add @x { ip saddr timeout 10s }`; with a limit among the braces the rule goes on or not. */
function readSetChange(cursor: Cursor): readonly Item[] | undefined {
  cursor.at++
  const name = take(cursor)?.text ?? ''
  const block = takeBlock(cursor)
  if (!name.startsWith('@') || block === undefined) return undefined
  const isLimited = block.some(({ text }) => /^(limit|quota|count|ct)$/.test(text))
  return [changeSetEffect(name.slice(1)), ...(isLimited ? [unsure(`nft ${name} counts`)] : [])]
}

/** Rules of iptables-nft that nft cannot spell. */
function readCompat(cursor: Cursor): readonly Item[] | undefined {
  const [kind, name] = [peek(cursor, 1), peek(cursor, 2)]
  if (kind !== 'match' && kind !== 'target') return undefined
  cursor.at += 3
  const isLogging = kind === 'target' && /^"?(LOG|NFLOG|TRACE|TCPMSS|CHECKSUM|AUDIT)"?$/.test(name)
  if (isLogging) return []
  return [kind === 'match' ? unsure(`xt match ${name}`) : unknown(`xt target ${name}`)]
}

/** `tcp option maxseg size set rt mtu` changes nothing that we look at; a match on options is doubted. */
function readOption(cursor: Cursor): readonly Item[] | undefined {
  const at = cursor.tokens.findIndex(({ text }, index) => index > cursor.at && text === 'set')
  if (at < 0 || at > cursor.at + 4) return undefined
  cursor.at = at + 1
  cursor.at += peek(cursor) === 'rt' ? 2 : 1
  return []
}

/** `ct count over 5`: how many others there are nobody says. */
function readCount(cursor: Cursor): readonly Item[] | undefined {
  if (peek(cursor) !== 'ct' || peek(cursor, 1) !== 'count') return undefined
  cursor.at += peek(cursor, 2) === 'over' ? 4 : 3
  return [unsure('nft ct count')]
}

/** `FIELD set VALUE`: marks are followed; what has no say in later rules is skipped; a changed address or port is another packet. */
function readSet(cursor: Cursor): readonly Item[] | undefined {
  const found = findField([peek(cursor), peek(cursor, 1), peek(cursor, 2)])
  const count = found === undefined ? 2 : found.name.split(' ').length
  if (peek(cursor, count) !== 'set') return undefined
  const name = found?.name ?? `${peek(cursor)} ${peek(cursor, 1)}`
  cursor.at += count + 1
  const value = readAssigned(cursor)
  switch (name) {
    case 'meta mark':
    case 'ct mark': {
      const target = name === 'meta mark' ? 'mark' : 'connectionMark'
      return [value === undefined ? unknownMarkEffect(target) : setMarkEffect(target, value, 0xffffffff)]
    }
    case 'ip ttl':
    case 'ip6 hoplimit':
      return [hopLimitEffect]
    default:
      return /^(meta (nftrace|priority|secmark)|ct (helper|timeout|expectation|zone|label|event|secmark|original zone)|ip dscp|ip ecn|ip6 dscp|ip6 flowlabel)$/.test(
        name,
      )
        ? []
        : [unknown(`nft sets ${name}`)]
  }
}

/** Takes the value of an assignment, `0x1`, `meta mark & 0xff | 0x10`, `ip saddr map @x`; the number it is, if it is one. */
function readAssigned(cursor: Cursor): number | undefined {
  const word = peek(cursor)
  const start = cursor.at
  do skipPrimary(cursor)
  while (/^(\||&|\^|<<|>>|\.|and|or|xor)$/.test(peek(cursor)) && take(cursor) !== undefined)
  if (accept(cursor, 'map') && takeBlock(cursor) === undefined) cursor.at++
  return cursor.at === start + 1 && /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(word)
    ? Number(word) >>> 0
    : undefined
}

function skipPrimary(cursor: Cursor): void {
  const found = findField([peek(cursor), peek(cursor, 1), peek(cursor, 2)])
  if (peek(cursor) !== '(') {
    cursor.at += found?.name.split(' ').length ?? 1
    return
  }
  while (cursor.at < cursor.tokens.length && take(cursor)?.text !== ')');
}
