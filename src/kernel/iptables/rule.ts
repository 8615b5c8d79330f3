import type { PortRange } from '../../net/port.ts'
import { type Prefix, parsePrefix } from '../../net/prefix.ts'
import { formatProtocol, parseProtocol } from './protocols.ts'

/** One rule of a chain, in the vocabulary that we write. A packet must satisfy all of it. See iptables-extensions(8). */
export interface Rule {
  readonly source?: Prefix
  readonly destination?: Prefix
  /** Interfaces of the host itself; a bridged packet has its bridge here. */
  readonly input?: string
  readonly output?: string
  /** IP protocol number, 1–255; 0 would mean "any" to iptables. */
  readonly protocol?: number
  /** In this order. */
  readonly matches: readonly Match[]
  /** Letters, digits and `:_-` only. */
  readonly comment: string
  readonly target: Target
}

export type Match =
  /** The bridge port a packet came in by or goes out by; a trailing `+` stands for any continuation of the name. */
  | { readonly kind: 'physdev'; readonly in?: string; readonly out?: string; readonly bridged?: boolean }
  | {
      readonly kind: 'state'
      readonly state: 'INVALID' | 'RELATED' | 'ESTABLISHED'
      readonly direction?: 'REPLY'
    }
  | {
      readonly kind: 'ports'
      readonly protocol: 'tcp' | 'udp' | 'sctp'
      readonly source?: PortRange
      readonly destination?: PortRange
    }
  /** At most 15 slots; a range takes two. */
  | {
      readonly kind: 'multiport'
      readonly end: 'source' | 'destination'
      readonly ports: readonly PortRange[]
    }
  | {
      readonly kind: 'icmp'
      readonly protocol: 'icmp' | 'icmp6'
      readonly type: number
      readonly code?: number
    }
  | { readonly kind: 'hop limit'; readonly hops: number }
  | { readonly kind: 'set'; readonly name: string; readonly end: 'source' | 'destination' }

export type Target =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  | { readonly kind: 'reject'; readonly answer: string }
  /** `jump` comes back to the next rule, `goto` to where the present chain was jumped to from. */
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }

/** The rule as iptables-save 1.8.9 prints it after `-A chain `, both back ends alike; but see `formatProtocol`. */
export function formatRule(rule: Rule): string {
  return [
    ...(rule.source === undefined ? [] : ['-s', rule.source]),
    ...(rule.destination === undefined ? [] : ['-d', rule.destination]),
    ...(rule.input === undefined ? [] : ['-i', rule.input]),
    ...(rule.output === undefined ? [] : ['-o', rule.output]),
    ...(rule.protocol === undefined ? [] : ['-p', formatProtocol(rule.protocol)]),
    ...rule.matches.map(formatMatch),
    `-m comment --comment ${/^[\w-]*$/.test(rule.comment) ? rule.comment : `"${rule.comment}"`}`,
    formatTarget(rule.target),
  ].join(' ')
}

/** Reads what `formatRule` writes, and other spellings of it. `undefined` for a rule that is not in our vocabulary. */
export function parseRule(text: string): Rule | undefined {
  const reader = readerOf(text)
  const [source, destination] = [reader.word('-s'), reader.word('-d')]
  const [input, output, protocol] = [reader.word('-i'), reader.word('-o'), reader.word('-p')]
  const matches = parseMatches(reader)
  const comment = reader.take(/-m comment --comment (?:"([\w:-]*)"|([\w-]+)) ?/y)
  const target = parseTarget(reader)
  const parsed = {
    source: source === undefined ? undefined : parsePrefix(source),
    destination: destination === undefined ? undefined : parsePrefix(destination),
    input,
    output,
    protocol: protocol === undefined ? undefined : parseProtocol(protocol),
  }
  const isUnread =
    (source !== undefined && parsed.source === undefined) ||
    (destination !== undefined && parsed.destination === undefined) ||
    (protocol !== undefined && parsed.protocol === undefined)
  if (isUnread || comment === undefined || target === undefined || !reader.atEnd()) return undefined
  return { ...defined(parsed), matches, comment: comment[1] ?? comment[2] ?? '', target }
}

/** Walks through a text by patterns. A pattern that does not stand at the present place takes nothing. */
interface Reader {
  take(pattern: RegExp): readonly (string | undefined)[] | undefined
  word(option: string): string | undefined
  atEnd(): boolean
}

function readerOf(text: string): Reader {
  let at = 0
  function take(pattern: RegExp): readonly (string | undefined)[] | undefined {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match !== null) at = pattern.lastIndex
    return match ?? undefined
  }
  return {
    take,
    word: (option) => take(new RegExp(`${option} (\\S+) `, 'y'))?.[1],
    atEnd: () => at === text.length,
  }
}

function parseMatches(reader: Reader): readonly Match[] {
  const matches: Match[] = []
  for (let match = parseMatch(reader); match !== undefined; match = parseMatch(reader)) matches.push(match)
  return matches
}

const patterns = {
  physdev: /-m physdev (?:--physdev-in (\S+) )?(?:--physdev-out (\S+) )?(?:(! )?(--physdev-is-bridged) )?/y,
  state: /-m conntrack --ctstate (INVALID|RELATED|ESTABLISHED) (?:--ctdir (REPLY) )?/y,
  ports: /-m (tcp|udp|sctp) (?:--sport (\d+)(?::(\d+))? )?(?:--dport (\d+)(?::(\d+))? )?/y,
  multiport: /-m multiport --([sd])ports (\d+(?::\d+)?(?:,\d+(?::\d+)?)*) /y,
  icmp: /-m (icmp|icmp6) --icmp(?:v6)?-type (\d+)(?:\/(\d+))? /y,
  hopLimit: /-m hl --hl-eq (\d+) /y,
  set: /-m set --match-set (\S+) (src|dst) /y,
}

function parseMatch(reader: Reader): Match | undefined {
  const physdev = reader.take(patterns.physdev)
  if (physdev !== undefined) {
    const [, enter, leave, not, bridged] = physdev
    return {
      kind: 'physdev',
      ...defined({ in: enter, out: leave, bridged: bridged === undefined ? undefined : not === undefined }),
    }
  }
  const state = reader.take(patterns.state)
  if (state !== undefined)
    return {
      kind: 'state',
      state: state[1] as 'INVALID',
      ...(state[2] === undefined ? {} : { direction: 'REPLY' as const }),
    }
  const ports = reader.take(patterns.ports)
  if (ports !== undefined) {
    const [, protocol, ...ends] = ports
    const [source, destination] = [readRange(ends[0], ends[1]), readRange(ends[2], ends[3])]
    return { kind: 'ports', protocol: protocol as 'tcp', ...defined({ source, destination }) }
  }
  const multiport = reader.take(patterns.multiport)
  if (multiport !== undefined) {
    const list = (multiport[2] ?? '')
      .split(',')
      .map((range) => readRange(...(range.split(':') as [string, string?])))
    return {
      kind: 'multiport',
      end: multiport[1] === 's' ? 'source' : 'destination',
      ports: list.filter((range) => range !== undefined),
    }
  }
  const icmp = reader.take(patterns.icmp)
  if (icmp !== undefined)
    return {
      kind: 'icmp',
      protocol: icmp[1] as 'icmp',
      type: Number(icmp[2]),
      ...(icmp[3] === undefined ? {} : { code: Number(icmp[3]) }),
    }
  const hops = reader.take(patterns.hopLimit)
  if (hops !== undefined) return { kind: 'hop limit', hops: Number(hops[1]) }
  const set = reader.take(patterns.set)
  if (set !== undefined)
    return { kind: 'set', name: set[1] ?? '', end: set[2] === 'src' ? 'source' : 'destination' }
  return undefined
}

function readRange(first: string | undefined, last: string | undefined = first): PortRange | undefined {
  return first === undefined ? undefined : { first: Number(first), last: Number(last) }
}

function formatMatch(match: Match): string {
  switch (match.kind) {
    case 'physdev': {
      const enter = match.in === undefined ? '' : ` --physdev-in ${match.in}`
      const leave = match.out === undefined ? '' : ` --physdev-out ${match.out}`
      const bridged = match.bridged === undefined ? '' : `${match.bridged ? '' : ' !'} --physdev-is-bridged`
      return `-m physdev${enter}${leave}${bridged}`
    }
    case 'state':
      return `-m conntrack --ctstate ${match.state}${match.direction === undefined ? '' : ` --ctdir ${match.direction}`}`
    case 'ports': {
      const source = match.source === undefined ? '' : ` --sport ${formatRange(match.source)}`
      const destination = match.destination === undefined ? '' : ` --dport ${formatRange(match.destination)}`
      return `-m ${match.protocol}${source}${destination}`
    }
    case 'multiport':
      return `-m multiport --${match.end === 'source' ? 's' : 'd'}ports ${match.ports.map(formatRange).join(',')}`
    case 'icmp': {
      const option = match.protocol === 'icmp' ? '--icmp-type' : '--icmpv6-type'
      return `-m ${match.protocol} ${option} ${match.type}${match.code === undefined ? '' : `/${match.code}`}`
    }
    case 'hop limit':
      return `-m hl --hl-eq ${match.hops}`
    case 'set':
      return `-m set --match-set ${match.name} ${match.end === 'source' ? 'src' : 'dst'}`
  }
}

function formatRange({ first, last }: PortRange): string {
  return first === last ? `${first}` : `${first}:${last}`
}

function parseTarget(reader: Reader): Target | undefined {
  const plain = reader.take(/-j (ACCEPT|DROP|RETURN)$/y)
  if (plain !== undefined) return { kind: (plain[1] ?? '').toLowerCase() as 'accept' }
  const reject = reader.take(/-j REJECT --reject-with ([\w-]+)$/y)
  if (reject !== undefined) return { kind: 'reject', answer: reject[1] ?? '' }
  const chain = reader.take(/-([jg]) (gw-\S+)$/y)
  if (chain !== undefined) return { kind: chain[1] === 'j' ? 'jump' : 'goto', chain: chain[2] ?? '' }
  return undefined
}

function formatTarget(target: Target): string {
  switch (target.kind) {
    case 'reject':
      return `-j REJECT --reject-with ${target.answer}`
    case 'jump':
      return `-j ${target.chain}`
    case 'goto':
      return `-g ${target.chain}`
    case 'accept':
    case 'drop':
    case 'return':
      return `-j ${target.kind.toUpperCase()}`
  }
}

/** The properties that have a value: an absent property and one that is `undefined` are not the same here. */
function defined<T extends object>(properties: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(properties).filter(([, value]) => value !== undefined),
  ) as ReturnType<typeof defined<T>>
}
