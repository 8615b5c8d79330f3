import { type State, UnreadableOutput } from '../backend.ts'
import type { HostFacts } from '../facts.ts'
import { type FlowText, formatKey, mapPorts } from './flow.ts'
import { type PortMapping, numbersToNames } from './port.ts'
import { cookieFilter, cookieMagic } from './tables.ts'

const ofctl = 'ovs-ofctl --timeout=60'
const dumpOurs = `--no-names --no-stats dump-flows "$bridge" cookie=${cookieFilter}`

/**
 * Prints a line `bridge NAME` for each bridge, and below it its flows with our cookie, sorted, since the switch dumps them in
 * the order of its hash tables. What a tool says on stderr is printed too, so that it is no flow line and refused (invariant 8).
 * No database socket means no switch here, as on a host that only has the package. OpenFlow 1.4 is what we read and write: a
 * bridge that does not speak it can hold flows of ours only if its protocols were changed since; then, and only then, it is an
 * error.
 */
export const probe = `set -u
command -v ovs-vsctl >/dev/null 2>&1 || exit 0
[ -S "\${OVS_RUNDIR:-/var/run/openvswitch}/db.sock" ] || exit 0
LC_ALL=C
export LC_ALL
bridges=$(ovs-vsctl --timeout=10 list-br) || exit 1
[ -n "$bridges" ] || exit 0
printf '%s\\n' "$bridges" | while IFS= read -r bridge; do
  if flows=$(${ofctl} -O OpenFlow14 ${dumpOurs} 2>&1); then :
  elif protocols=$(ovs-vsctl --timeout=10 get bridge "$bridge" protocols) && [ "$protocols" != '[]' ] &&
    [ "\${protocols#*OpenFlow14}" = "$protocols" ]; then
    flows=$(${ofctl} -O OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow15 ${dumpOurs} 2>&1) || {
      printf 'bridge %s: %s\\n' "$bridge" "$flows" >&2
      exit 1
    }
    [ -z "$flows" ] || {
      printf 'bridge %s holds flows of gitwall but does not speak OpenFlow14: run "ovs-vsctl add bridge %s protocols OpenFlow14"\\n' \\
        "$bridge" "$bridge" >&2
      exit 1
    }
  else
    printf 'bridge %s: %s\\n' "$bridge" "$flows" >&2
    exit 1
  fi
  printf 'bridge %s\\n' "$bridge"
  [ -z "$flows" ] || printf '%s\\n' "$flows" | sort
done
`

/** Our flows of every bridge, as `probe` printed them, with ports by name. Throws `UnreadableOutput` on any other line. */
export function parseDump(output: string, facts: HostFacts): State {
  if (output !== '' && !output.endsWith('\n')) throw unreadable('the last line is cut off')
  const state = new Map<string, string>()
  let bridge: { readonly name: string; readonly mapping: PortMapping } | undefined
  for (const line of output.split('\n').slice(0, -1)) {
    const name = /^bridge (.*)$/.exec(line)?.[1]
    if (name !== undefined) {
      bridge = { name, mapping: numbersToNames(name, facts) }
      continue
    }
    if (bridge === undefined) throw unreadable(`the line "${line.slice(0, 100)}" belongs to no bridge`)
    const text = cutLine(line, bridge.name)
    const flow = mapPorts(text, bridge.mapping) ?? text
    const key = formatKey(bridge.name, flow)
    if (state.has(key)) throw unreadable(`two flows "${key.slice(0, 200)}"`)
    state.set(key, flow.rest)
  }
  return state
}

/** Words before the match that are no attribute; they end in a blank rather than a comma. */
const flags = new Set([
  'send_flow_rem',
  'check_overlap',
  'reset_counts',
  'no_packet_counts',
  'no_byte_counts',
])

/**
 * Cuts ` cookie=0x…, table=11, idle_timeout=60, send_flow_rem priority=200,ip actions=drop` into its parts. Table 0 and priority
 * 32768 are not printed. The bridge's name becomes a word of a command line: no unusual name may hold flows of ours.
 */
function cutLine(line: string, bridge: string): FlowText {
  const end = line.indexOf(' actions=')
  if (
    !line.startsWith(` cookie=0x${cookieMagic}`) ||
    end < 0 ||
    !/^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/.test(bridge)
  )
    throw unreadable(`the line "${line.slice(0, 100)}" of bridge "${bridge.slice(0, 50)}" is no flow of ours`)
  const words = line.slice(1, end).split(' ')
  const last = words.at(-1) ?? ''
  const isMatch = !last.endsWith(',') && !flags.has(last)
  const [, priority, match = ''] = /^(?:priority=(\d{1,5})(?:,|$))?(.*)$/.exec(isMatch ? last : '') ?? []
  const attributes = (isMatch ? words.slice(0, -1) : words).map((word) => word.replace(/,$/, ''))
  const table = attributes.find((word) => word.startsWith('table='))
  const others = attributes.filter((word) => word !== table)
  return {
    table: Number(table?.slice('table='.length) ?? 0),
    priority: Number(priority ?? 32768),
    match,
    rest: [...others, line.slice(end + 1)].join(','),
  }
}

function unreadable(what: string): UnreadableOutput {
  return new UnreadableOutput(`Open vSwitch: ${what}`)
}
