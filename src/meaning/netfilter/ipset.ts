import type { Family } from '../../net/address.ts'
import { addressBits } from '../../net/address.ts'
import { parseMac } from '../../net/mac.ts'
import { readIcmp } from './icmp-names.ts'
import { prefixMask, protocolNumber, readInteger, readMasked } from './names.ts'
import { type IpView, type Passage, noHeader, portsOf } from './passage.ts'
import { type Truth, anyOf, doubt } from './truth.ts'

/** Which end of the packet stands for each dimension: `--match-set NAME src,dst`. */
export type SetEnds = readonly ('src' | 'dst')[]

/** Is the packet in the set? With `nomatchOnly` the question is whether an exception of the set holds it. */
export type SetTest = (passage: Passage, ends: SetEnds, nomatchOnly: boolean) => Truth

/** What a set's type says of one dimension. */
type Dimension = 'ip' | 'port' | 'mac'

/** One value of a dimension; `bits` of an address that count. */
interface Part {
  readonly bits: number
  readonly key: string | bigint
}

/** Entries whose addresses have the same lengths, by their key. `masks` of those lengths, and of the set's `netmask`. */
interface Group {
  readonly bits: readonly number[]
  readonly masks: readonly bigint[]
  readonly isException: Map<string | bigint, boolean>
}

/**
 * Reads `ipset save` into a test for each set. Sets of types that are not understood are there, and answer with a doubt; an entry that is
 * not understood makes a doubt of every no. See ipset(8).
 */
export function parseSets(text: string): ReadonlyMap<string, SetTest> {
  const types = new Map<string, readonly string[]>()
  const entries = new Map<string, string[][]>()
  for (const line of text.split('\n')) {
    const [verb, name, ...words] = line.trim().split(/\s+/)
    if (name === undefined) continue
    if (verb === 'create') {
      types.set(name, words)
      entries.set(name, [])
    } else if (verb === 'add') entries.get(name)?.push(words)
  }
  const tests = new Map<string, SetTest>()
  for (const [name, words] of types) {
    const [type = '', ...options] = words
    const list = entries.get(name) ?? []
    tests.set(name, type === 'list:set' ? listTest(name, list, tests) : setTest(name, type, options, list))
  }
  return tests
}

/** In the order of the members; the kernel has no lists in lists. */
function listTest(
  name: string,
  entries: readonly (readonly string[])[],
  tests: ReadonlyMap<string, SetTest>,
): SetTest {
  const members = entries.map(([member = '']) => member)
  const cycle = doubt(`set "${name}" names a list`)
  let isInside = false
  return (passage, ends, nomatchOnly) => {
    if (isInside) return cycle
    isInside = true
    const truth = anyOf(
      members.map(
        (member) =>
          tests.get(member)?.(passage, ends, nomatchOnly) ?? doubt(`no set "${member}" in "${name}"`),
      ),
    )
    isInside = false
    return truth
  }
}

const dimensions: Readonly<Record<string, Dimension>> = { ip: 'ip', net: 'ip', port: 'port', mac: 'mac' }

function setTest(
  name: string,
  type: string,
  options: readonly string[],
  entries: readonly (readonly string[])[],
): SetTest {
  const parts = (type.split(':')[1] ?? '').split(',').map((part) => dimensions[part])
  const known = parts.filter((part) => part !== undefined)
  const family: Family = optionOf(options, 'family') === 'inet6' ? 6 : 4
  const netmask = readInteger(optionOf(options, 'netmask') ?? '', addressBits(family))
  const isReadable = /^(hash|bitmap):/.test(type) && known.length === parts.length
  // A bitmap of addresses and MACs learns the MACs; its entries may be without. `bitmask` is a mask of any shape.
  if (!isReadable || type === 'bitmap:ip,mac' || options.includes('bitmask'))
    return () => doubt(`set "${name}" is a ${type}${options.includes('bitmask') ? ' with a bitmask' : ''}`)
  const shape = { parts: known, family, isIp: known.includes('ip'), netmask: netmask ?? addressBits(family) }
  const { groups, unread } = groupsOf(entries, shape)
  const unreadable = unread === undefined ? false : doubt(`set "${name}" has the member "${unread}"`)
  const portsOnly = type === 'bitmap:port'
  return (passage, ends, nomatchOnly) => {
    const { ip } = passage
    if (ip === undefined || ends.length < known.length) return false
    if (known.includes('ip') && ip.family !== family) return false
    for (const group of groups) {
      const key = keyOf(passage, ip, ends, { parts: known, masks: group.masks, portsOnly })
      if (key === undefined) return false
      if (typeof key === 'object') return key.doubt
      const isException = group.isException.get(key)
      if (isException !== undefined) return unreadable === false ? isException === nomatchOnly : unreadable
    }
    return unreadable
  }
}

function optionOf(options: readonly string[], name: string): string | undefined {
  const at = options.indexOf(name)
  return at < 0 ? undefined : options[at + 1]
}

interface Shape {
  readonly parts: readonly Dimension[]
  readonly family: Family
  readonly isIp: boolean
  readonly netmask: number
}

/** The most specific first, by the first dimension, then the second: so the kernel looks, and an exception hides what is around it. */
function groupsOf(
  entries: readonly (readonly string[])[],
  shape: Shape,
): { readonly groups: readonly Group[]; readonly unread: string | undefined } {
  const groups = new Map<string, Group>()
  let unread: string | undefined
  for (const [element = '', ...flags] of entries) {
    const parts = readElement(element, shape)
    if (parts === undefined) {
      unread ??= element
      continue
    }
    const bits = parts.map((part) => part.bits)
    const width = addressBits(shape.family)
    const group = groups.get(bits.join()) ?? {
      bits,
      masks: bits.map((length) => prefixMask(Math.min(length, shape.netmask), width)),
      isException: new Map<string | bigint, boolean>(),
    }
    groups.set(bits.join(), group)
    group.isException.set(joinKey(parts.map(({ key }) => key)), flags.includes('nomatch'))
  }
  const sorted = [...groups.values()].sort((a, b) => compareBits(a.bits, b.bits))
  return { groups: sorted, unread }
}

function compareBits(left: readonly number[], right: readonly number[]): number {
  const at = left.findIndex((bits, index) => bits !== right[index])
  return at < 0 ? 0 : (right[at] ?? 0) - (left[at] ?? 0)
}

function joinKey(keys: readonly (string | bigint)[]): string | bigint {
  return keys.length === 1 && keys[0] !== undefined ? keys[0] : keys.join('|')
}

/** `undefined` when one of its parts is not understood. */
function readElement(text: string, shape: Shape): readonly Part[] | undefined {
  const words = text.split(',')
  if (words.length !== shape.parts.length) return undefined
  const parts = words.map((word, index) => readPart(word, shape.parts[index] ?? 'ip', shape))
  return parts.every((part) => part !== undefined) ? parts : undefined
}

function readPart(word: string, dimension: Dimension, shape: Shape): Part | undefined {
  switch (dimension) {
    case 'ip': {
      const masked = readMasked(word)
      if (masked?.family !== shape.family) return undefined
      const width = addressBits(masked.family)
      const bits = masked.mask.toString(2).replaceAll('0', '').length
      return masked.mask === prefixMask(bits, width) ? { bits, key: masked.value } : undefined
    }
    case 'mac': {
      const mac = parseMac(word)
      return mac === undefined ? undefined : { bits: 0, key: mac }
    }
    case 'port': {
      const key = readPort(word, shape)
      return key === undefined ? undefined : { bits: 0, key }
    }
  }
}

/** `80` of a bitmap:port; `tcp:80`, `icmp:echo-request`, `ipv6-icmp:135/0`, `vrrp:0` of the hashes. */
function readPort(word: string, shape: Shape): string | undefined {
  if (!shape.isIp) return readInteger(word, 65_535)?.toString()
  const [protocol = '', value = ''] = word.includes(':') ? word.split(':') : ['tcp', word]
  const number = protocolNumber(protocol)
  if (number === undefined) return undefined
  if (number !== 1 && number !== 58) {
    const port = readInteger(value, 65_535)
    return port === undefined ? undefined : `${number}:${port}`
  }
  const icmp = readIcmp(value, number === 1 ? 'icmp' : 'icmp6')
  return icmp === undefined ? undefined : `${number}:${icmp.type * 256 + icmp.firstCode}`
}

interface Question {
  readonly parts: readonly Dimension[]
  readonly masks: readonly bigint[]
  readonly portsOnly: boolean
}

/** The packet's key among entries of those lengths. `undefined`: it has none, and is in no entry. */
function keyOf(
  passage: Passage,
  ip: IpView,
  ends: SetEnds,
  { parts, masks, portsOnly }: Question,
): string | bigint | { readonly doubt: Truth } | undefined {
  const keys: (string | bigint)[] = []
  for (const [index, part] of parts.entries()) {
    const isSource = ends[index] === 'src'
    switch (part) {
      case 'ip':
        keys.push((isSource ? ip.source : ip.destination) & (masks[index] ?? 0n))
        break
      case 'mac':
        keys.push(isSource ? passage.frame.sourceMac : passage.frame.destinationMac)
        break
      case 'port': {
        const port = portKey(ip, isSource, portsOnly)
        if (port === undefined || typeof port === 'object') return port
        keys.push(port)
      }
    }
  }
  return joinKey(keys)
}

/** `ip_set_get_ip4_port`: ports, ICMP type and code for either end, 0 for protocols without. A bitmap:port knows TCP and UDP. */
function portKey(
  ip: IpView,
  isSource: boolean,
  portsOnly: boolean,
): string | { readonly doubt: Truth } | undefined {
  const { protocol, icmp } = ip.packet
  if (portsOnly && protocol !== 6 && protocol !== 17) return undefined
  if (protocol === 1 || protocol === 58) {
    if (ip.fragment === 'later') return undefined
    return icmp === undefined ? { doubt: noHeader } : `${protocol}:${icmp.type * 256 + icmp.code}`
  }
  if (![6, 17, 132, 136].includes(protocol)) return `${protocol}:0`
  const ports = portsOf(ip)
  if (ports === undefined) return undefined
  if ('why' in ports) return { doubt: ports }
  const port = isSource ? ports.source : ports.destination
  return portsOnly ? `${port}` : `${protocol}:${port}`
}
