import { parseAddress } from '../../net/address.ts'
import { type State, UnreadableOutput } from '../backend.ts'

/** Key of the table itself; it is there when anything of ours is. */
export const tableKey = 'table'

/** Key of the map from port to chain. */
export const mapKey = 'map from'

/** First line of the map's text; every other line is `"<port>" : goto <chain>`, ascending. */
export const mapHeader = 'type ifname : verdict'

/** `chain from-tap101i0` for a port. */
export function chainKey(port: string): string {
  return `chain from-${port}`
}

/** An element of the map, as nft prints it. */
export function formatElement(port: string): string {
  return `"${port}" : goto from-${port}`
}

/**
 * One line for every object of our table: `chain from-tap101i0<tab>line<tab>line…`, sorted, since the kernel lists objects in the
 * order they were made. `table` carries the flags of the table itself; its comment means nothing. `-s` leaves the values of
 * counters out, `-p` the names of protocols, which come from the host's `/etc/protocols`.
 */
export const probe = String.raw`command -v nft >/dev/null 2>&1 || exit 0
tables=$(nft list tables bridge) || exit 1
printf '%s\n' "$tables" | grep -qx 'table bridge gitwall' || exit 0
text=$(nft -s -p list table bridge gitwall) || exit 1
printf '%s\n' "$text" | awk '
  NR == 1 { if ($0 != "table bridge gitwall {") print "? " $0; table = "table"; next }
  /^\t[^\t].* \{$/ { line = substr($0, 2, length($0) - 3); inside = 1; next }
  /^\t\}$/ { print line; inside = 0; next }
  /^\}$/ { ended = 1; next }
  { sub(/^[ \t]+/, "") }
  /^$/ { next }
  inside { line = line "\t" $0; next }
  /^comment / { next }
  { table = table "\t" $0 }
  END { if (inside || !ended) print "? no end"; print table }' | LC_ALL=C sort
`

/** Reads what `probe` prints. Every object of the table is ours, also one that a hand put there. */
export function liveTable(output: string): State {
  const lines = output.split('\n').filter((line) => line !== '')
  if (lines.length > 0 && !lines.some((line) => /^table(\t|$)/.test(line)))
    throw new UnreadableOutput(`nft: not a table: "${lines[0]?.slice(0, 120)}"`)
  return new Map(
    lines.map((line) => {
      const [key = '', ...body] = line.split('\t')
      if (key.startsWith('?')) throw new UnreadableOutput(`nft: not its format: "${line.slice(0, 120)}"`)
      return [key, (key === mapKey ? mapLines(body) : body.map(canonical)).join('\n')]
    }),
  )
}

/** Header, then elements, which nft wraps over several lines. */
function mapLines(body: readonly string[]): readonly string[] {
  const [, header, list] = /^(.*?)(?: ?elements = \{ (.*) \})?$/.exec(body.join(' ')) ?? []
  return [header ?? '', ...(list?.split(', ').sort() ?? [])]
}

/** glibc writes `::1.2.3.4` where RFC 5952 has `::102:304`. */
function canonical(line: string): string {
  return line.replaceAll(/(?<![\w:])::\d+\.\d+\.\d+\.\d+/g, (address) => parseAddress(address) ?? address)
}
