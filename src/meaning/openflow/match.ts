import { type Field, bitsOf, fieldNamed } from './field.ts'
import { type Masked, type PortNumbers, parseSmallNumber, parseValue } from './value.ts'
import { type Bits, last } from './words.ts'

/** What a flow asks of a packet. */
export interface Match {
  /** Each word once, ascending. */
  readonly bits: readonly Bits[]
  /** Parts that we cannot evaluate: the flow may match or not, as far as they are concerned. */
  readonly unread: readonly string[]
  /** It asks for two values at once: no packet matches. */
  readonly isImpossible: boolean
}

/** Ethernet type and IP protocol of the keywords of ovs-fields(7), "Shorthands". `undefined`: any protocol. */
const keywords: ReadonlyMap<string, readonly [etherType: number, protocol?: number]> = new Map([
  ['ip', [0x0800]],
  ['ipv4', [0x0800]],
  ['ipv6', [0x86dd]],
  ['ip6', [0x86dd]],
  ['icmp', [0x0800, 1]],
  ['icmp6', [0x86dd, 58]],
  ['tcp', [0x0800, 6]],
  ['tcp6', [0x86dd, 6]],
  ['udp', [0x0800, 17]],
  ['udp6', [0x86dd, 17]],
  ['sctp', [0x0800, 132]],
  ['sctp6', [0x86dd, 132]],
  ['arp', [0x0806]],
  ['rarp', [0x8035]],
  ['mpls', [0x8847]],
  ['mplsm', [0x8848]],
])

/** Reads the parts of a match as ovs-ofctl prints them: keywords and `field=value`. */
export function parseMatch(parts: readonly string[], portNumber: PortNumbers): Match {
  const bitsByWord = new Map<number, Bits>()
  const unread: string[] = []
  let isImpossible = false
  for (const part of parts) {
    const found = parsePart(part, portNumber)
    if (found === undefined) unread.push(part)
    for (const bits of found ?? []) {
      const before = bitsByWord.get(bits.word)
      if (before !== undefined && ((before.value ^ bits.value) & before.mask & bits.mask) !== 0)
        isImpossible = true
      bitsByWord.set(bits.word, before === undefined ? bits : merge(before, bits))
    }
  }
  const bits = [...bitsByWord.values()].sort((a, b) => a.word - b.word)
  return { bits, unread, isImpossible }
}

function merge(one: Bits, other: Bits): Bits {
  return {
    word: one.word,
    mask: (one.mask | other.mask) >>> 0,
    value: (one.value | other.value) >>> 0,
  }
}

/** `undefined` when it is not understood. */
function parsePart(part: string, portNumber: PortNumbers): readonly Bits[] | undefined {
  const cut = part.indexOf('=')
  if (cut < 0) return parseKeyword(part)
  const name = part.slice(0, cut)
  const text = part.slice(cut + 1)
  const vlan = parseVlan(name, text)
  if (vlan !== undefined) return vlan
  const field = fieldNamed(name)
  const masked = field === undefined ? undefined : parseValue(field, text, portNumber)
  return field === undefined || masked === undefined ? undefined : fieldBits(field, masked)
}

function parseKeyword(word: string): readonly Bits[] | undefined {
  // Any Ethernet frame, as every packet here is.
  if (word === 'eth') return []
  const known = keywords.get(word)
  if (known === undefined) return undefined
  const [etherType, protocol] = known
  return [
    { word: last('ethType'), mask: 0xffff, value: etherType },
    ...(protocol === undefined ? [] : [{ word: last('ipProtocol'), mask: 0xff, value: protocol }]),
  ]
}

/** Bit of the tag word that says that there is a tag. */
const tagBit = 0x1000

/** Fields of OpenFlow 1.0 and 1.2, where an id or a priority asks for a tag as well. `undefined` when it is none of them. */
function parseVlan(name: string, text: string): readonly Bits[] | undefined {
  const [, field, inner] = /^(dl_vlan|dl_vlan_pcp|vlan_pcp|vlan_vid)(1?)$/.exec(name) ?? []
  const number = parseSmallNumber(text)
  if (field === undefined || number === undefined) return undefined
  const word = last(inner === '1' ? 'innerVlan' : 'vlan')
  if (field === 'vlan_vid') return number > 0x1fff ? undefined : [{ word, mask: 0x1fff, value: number }]
  if (field === 'dl_vlan') {
    if (number === 0xffff) return [{ word, mask: 0xffff, value: 0 }]
    return number > 0xfff ? undefined : [{ word, mask: 0x1fff, value: tagBit + number }]
  }
  return number > 7 ? undefined : [{ word, mask: 0xf000, value: tagBit + number * 0x2000 }]
}

function fieldBits(field: Field, { value, mask }: Masked): readonly Bits[] {
  return bitsOf({ field, start: 0, width: field.width }, value, field.name === 'nw_tos' ? mask & 0xfcn : mask)
}
