import type { Seen } from './prerequisite.ts'
import type { Found, Table } from './table.ts'
import { type Words, last } from './words.ts'

/** What the table says of the packet as a look-up sees it, which came from `port` if that is given. */
export function find(table: Table, seen: Seen, port?: number): Found {
  const { words } = seen
  const isFragment = ((words.value[last('fragment')] ?? 0) & 1) !== 0
  if (port === undefined && !isFragment) return table.find(words)
  const seenWords = isFragment
    ? fragmentWords(seen)
    : { value: words.value.slice(), unknown: words.unknown.slice() }
  if (port !== undefined) {
    seenWords.value[last('inPort')] = port
    seenWords.unknown[last('inPort')] = 0
  }
  return table.find(seenWords)
}

/**
 * A look-up sees no ports of a fragment, not even of the first: mode `normal` of ovs-ofctl(8), `set-frags`, which is the default.
 * Behind conntrack the kernel has put the packet together, while the userspace datapath still sees fragments.
 */
function fragmentWords({ words, recirculations }: Seen): Words {
  const [value, unknown] = [words.value.slice(), words.unknown.slice()]
  const forget = (word: number, mask: number) => {
    unknown[word] = (unknown[word] ?? 0) | mask
  }
  for (const name of ['sourcePort', 'destinationPort'] as const) {
    value[last(name)] = 0
    unknown[last(name)] = 0
    if (recirculations > 0) forget(last(name), 0xffff)
  }
  if (recirculations > 0) {
    forget(last('fragment'), 3)
    forget(last('tcpFlags'), 0xfff)
    if (value[last('ipProtocol')] === 44) forget(last('ipProtocol'), 0xff)
  }
  return { value, unknown }
}
