import type { Family } from '../../net/address.ts'
import { parsePrefix } from '../../net/prefix.ts'

/**
 * A set as ipset(8) keeps it. `header` is everything that a member cannot change: type, family, `maxelem` and whatever else
 * `create` was given; `hashsize`, `bucketsize` and `initval` are the kernel's own business and left out.
 */
export interface AddressSet {
  readonly header: string
  /** In ipset's spelling (no `/32`, no `/128`), ascending as text, each once. */
  readonly members: readonly string[]
}

/** The first lines of what we make. 65,536 is ipset's default; a fuller set gets room for twice its members. */
export function headerFor(family: Family, memberCount: number): string {
  let maxelem = 65_536
  while (maxelem < 2 * memberCount) maxelem *= 2
  return `hash:net family ${family === 4 ? 'inet' : 'inet6'} maxelem ${maxelem}`
}

/** The header on the first line, then a member a line: the canonical text of a set. */
export function formatSet({ header, members }: AddressSet): string {
  return [header, ...members].join('\n')
}

/** Reads `formatSet`'s text back. */
export function parseSet(text: string): AddressSet {
  const [header = '', ...members] = text.split('\n')
  return { header, members }
}

/** Members of prefixes: `/0`, which hash:net refuses (ipset(8)), becomes its two halves. */
export function membersOf(prefixes: readonly string[]): readonly string[] {
  return sortMembers(prefixes.flatMap((prefix) => halves[prefix] ?? [withoutHostBits(prefix)]))
}

const halves: Readonly<Record<string, readonly string[]>> = {
  '0.0.0.0/0': ['0.0.0.0/1', '128.0.0.0/1'],
  '::/0': ['::/1', '8000::/1'],
}

function withoutHostBits(prefix: string): string {
  const bits = prefix.includes(':') ? '/128' : '/32'
  return prefix.endsWith(bits) ? prefix.slice(0, -bits.length) : prefix
}

/** Ascending as text, each once. */
export function sortMembers(members: readonly string[]): readonly string[] {
  return [...new Set(members)].sort()
}

/** A member as ipset printed it, in our spelling: glibc writes `::1.2.3.4` where RFC 5952 has `::102:304`. */
export function readMember(text: string): string {
  if (!text.includes(':') || !text.includes('.')) return text
  const prefix = parsePrefix(text)
  return prefix === undefined ? text : withoutHostBits(prefix)
}

/** Is it a plain member, which `add` and `del` take as it stands? Others (`nomatch`, …) are kept raw, so that they differ. */
export function isPlainMember(text: string): boolean {
  return /^[0-9a-f.:]+(\/\d+)?$/.test(text)
}
