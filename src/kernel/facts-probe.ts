import type { Mac } from '../net/mac.ts'
import { parseMac } from '../net/mac.ts'
import { UnreadableOutput } from './backend.ts'
import type { HostFacts, OvsPort } from './facts.ts'

/**
 * Shell text that prints facts, one on a line: `tag rest`. Lines of JSON are the tools' own. Reads only, contains no data.
 * `SSH_CONNECTION` is dropped by sudo (sudoers(5), env_reset), and is then found at an ancestor. ovs-vsctl(8) waits for ever for a
 * database that is not there: it is only called when the socket exists, with a timeout. See ip-link(8), -j.
 */
export const factsProbe = `set -u
connection=\${SSH_CONNECTION:-}
pid=$PPID
depth=0
while [ -z "$connection" ] && [ "$depth" -lt 10 ] && [ "$pid" -gt 1 ] && [ -r "/proc/$pid/environ" ]; do
  connection=$(tr '\\0' '\\n' <"/proc/$pid/environ" | sed -n 's/^SSH_CONNECTION=//p' | head -n 1)
  pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
  depth=$((depth + 1))
done
printf 'ssh %s\\n' "$connection"
for tool in ovs-ofctl ovs-vsctl ipset nft conntrack ip bridge \\
  iptables-save iptables-restore ip6tables-save ip6tables-restore \\
  iptables-nft-save iptables-nft-restore ip6tables-nft-save ip6tables-nft-restore \\
  iptables-legacy-save iptables-legacy-restore ip6tables-legacy-save ip6tables-legacy-restore; do
  if command -v "$tool" >/dev/null 2>&1; then printf 'tool %s\\n' "$tool"; fi
done
for key in net/bridge/bridge-nf-call-iptables net/bridge/bridge-nf-call-ip6tables net/netfilter/nf_conntrack_tcp_loose; do
  if [ -r "/proc/sys/$key" ]; then
    read -r value <"/proc/sys/$key"
    printf 'sysctl %s %s\\n' "$key" "$value"
  fi
done
links=$(ip -j link show) || exit 1
bridges=$(ip -j link show type bridge) || exit 1
printf 'links %s\\nbridges %s\\n' "\${links:-[]}" "\${bridges:-[]}"
if command -v ovs-vsctl >/dev/null 2>&1 && [ -S "\${OVS_RUNDIR:-/var/run/openvswitch}/db.sock" ]; then
  for columns in 'Interface _uuid,name,ofport,mac_in_use,type' 'Port _uuid,interfaces,tag' \\
    'Bridge name,ports,fail_mode,datapath_type,controller'; do
    table=\${columns%% *}
    rows=$(ovs-vsctl --timeout=10 --format=json "--columns=\${columns#* }" list "$table") || exit 1
    printf 'ovs-%s %s\\n' "$table" "$rows"
  done
fi
`

/**
 * Reads what `factsProbe` printed. Interfaces with names that no policy can name are left out. Throws `UnreadableOutput` when
 * it is not the probe's format, so that a broken tool is never taken for an empty host.
 */
export function parseFacts(output: string): HostFacts {
  const lines = parseLines(output)
  const one = (tag: string) => lines.get(tag)?.[0]
  return {
    ...parseConnection(one('ssh') ?? unreadable('no line "ssh"')),
    tools: new Set(lines.get('tool')),
    links: parseLinks(
      one('links') ?? unreadable('no line "links"'),
      one('bridges') ?? unreadable('no line "bridges"'),
    ),
    sysctls: parseSysctls(lines.get('sysctl') ?? []),
    ...parseOvs(one('ovs-Interface'), one('ovs-Port'), one('ovs-Bridge')),
  }
}

/** sshd's four words: address and port of the client, then of the server. ssh(1), ENVIRONMENT. */
function parseConnection(text: string): Pick<HostFacts, 'sshSource' | 'sshDestination' | 'sshPort'> {
  if (text === '') return { sshSource: '', sshDestination: '', sshPort: 0 }
  const [sshSource = '', , sshDestination = '', port = ''] = text.split(' ')
  const sshPort = Number(port)
  if (!Number.isInteger(sshPort) || sshPort < 1 || sshPort > 65535) unreadable('SSH_CONNECTION')
  return { sshSource, sshDestination, sshPort }
}

const tagsOnce = new Set(['ssh', 'links', 'bridges', 'ovs-Interface', 'ovs-Port', 'ovs-Bridge'])

function parseLines(output: string): ReadonlyMap<string, readonly string[]> {
  if (output !== '' && !output.endsWith('\n')) unreadable('the last line is cut off')
  const lines = new Map<string, string[]>()
  for (const line of output.split('\n').slice(0, -1)) {
    const [, tag = '', rest = ''] = /^(\S+) (.*)$/.exec(line) ?? []
    const known = lines.get(tag)
    if (!tagsOnce.has(tag) && tag !== 'tool' && tag !== 'sysctl')
      unreadable(`the line "${line.slice(0, 60)}"`)
    if (known !== undefined && tagsOnce.has(tag)) unreadable(`two lines "${tag}"`)
    if (known === undefined) lines.set(tag, [rest])
    else known.push(rest)
  }
  return lines
}

function parseSysctls(lines: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    lines.map((line) => {
      const [path = '', value = '', ...rest] = line.split(' ')
      if (!/^[a-z0-9_/-]+$/.test(path) || !/^-?\d+$/.test(value) || rest.length > 0) unreadable('a sysctl')
      return [path.replaceAll('/', '.'), value]
    }),
  )
}

/** A `master` may also be a bond, a VRF or Open vSwitch's datapath: only the names listed as bridges are bridges. */
function parseLinks(linksJson: string, bridgesJson: string): HostFacts['links'] {
  const bridges = new Set(parseArray(bridgesJson).flatMap((link) => field(link, 'ifname') ?? []))
  const links = new Map<string, { readonly bridge?: string; readonly mac?: Mac }>()
  for (const link of parseArray(linksJson)) {
    const name = field(link, 'ifname')
    if (name === undefined) unreadable('a link without a name')
    if (!isPortName(name)) continue
    const master = field(link, 'master')
    const mac = field(link, 'link_type') === 'ether' ? parseMac(field(link, 'address') ?? '') : undefined
    links.set(name, {
      ...(master !== undefined && bridges.has(master) ? { bridge: master } : {}),
      ...(mac === undefined ? {} : { mac }),
    })
  }
  return links
}

/** All three tables, or none where there is no Open vSwitch. Interfaces are in ports, ports are in bridges. */
function parseOvs(
  interfacesJson: string | undefined,
  portsJson: string | undefined,
  bridgesJson: string | undefined,
): Pick<HostFacts, 'ovsPorts' | 'ovsBridges'> {
  if (interfacesJson === undefined && portsJson === undefined && bridgesJson === undefined) {
    return { ovsPorts: new Map(), ovsBridges: new Map() }
  }
  if (interfacesJson === undefined || portsJson === undefined || bridgesJson === undefined) {
    unreadable('an Open vSwitch table is missing')
  }
  const interfaces = parseTable(interfacesJson, ['name', 'ofport', 'mac_in_use', 'type', '_uuid'])
  const bridges = parseTable(bridgesJson, ['name', 'ports', 'fail_mode', 'datapath_type', 'controller'])
  const ports = parseTable(portsJson, ['_uuid', 'interfaces', 'tag'])
  const bridgeByPort = new Map(
    bridges.flatMap((row) => atoms(row['ports']).map((port) => [port, word(row['name'])] as const)),
  )
  const placeByInterface = new Map(
    ports.flatMap((row) => {
      const bridge = bridgeByPort.get(word(row['_uuid']))
      const members = atoms(row['interfaces'])
      const tag = Number(atoms(row['tag'])[0] ?? 0)
      const place = {
        bridge: bridge ?? '',
        ...(members.length > 1 ? { isBonded: true as const } : {}),
        ...(tag > 0 ? { tag } : {}),
      }
      return bridge === undefined ? [] : members.map((id) => [id, place] as const)
    }),
  )
  return {
    ovsPorts: new Map(interfaces.flatMap((row) => parseOvsPort(row, placeByInterface))),
    ovsBridges: new Map(
      bridges.map((row) => [
        word(row['name']),
        {
          failMode: atoms(row['fail_mode'])[0] ?? '',
          datapathType: word(row['datapath_type']),
          controllers: atoms(row['controller']).length,
        },
      ]),
    ),
  }
}

function parseOvsPort(
  row: Row,
  placeByInterface: ReadonlyMap<string, Pick<OvsPort, 'bridge' | 'isBonded' | 'tag'>>,
): readonly (readonly [string, OvsPort])[] {
  const place = placeByInterface.get(word(row['_uuid']))
  const ofport = Number(atoms(row['ofport'])[0] ?? -1)
  if (!Number.isInteger(ofport)) unreadable('an ofport')
  if (place === undefined || ofport < 1 || (ofport > 65279 && ofport !== 65534)) return []
  const mac = parseMac(atoms(row['mac_in_use'])[0] ?? '')
  return [
    [word(row['name']), { ...place, ofport, type: word(row['type']), ...(mac === undefined ? {} : { mac }) }],
  ]
}

type Row = Readonly<Record<string, unknown>>

/** ovs-vsctl(8), --format=json: `{"headings": [...], "data": [[...], ...]}`, values as in RFC 7047, 5.1. */
function parseTable(json: string, columns: readonly string[]): readonly Row[] {
  const table = parseJson(json)
  const headings = isObject(table) ? table['headings'] : undefined
  const data = isObject(table) ? table['data'] : undefined
  if (!Array.isArray(headings) || !Array.isArray(data)) unreadable('an Open vSwitch table')
  if (columns.some((column) => !headings.includes(column))) unreadable('a table without its columns')
  return data.map((cells: unknown) => {
    if (!Array.isArray(cells) || cells.length !== headings.length) unreadable('a row')
    return Object.fromEntries(headings.map((heading, index) => [String(heading), cells[index] as unknown]))
  })
}

/** RFC 7047, 5.1: an atom, `["uuid", …]`, or `["set", [atoms]]`; a set of exactly one is the atom itself. */
function atoms(value: unknown): readonly string[] {
  if (Array.isArray(value) && value[0] === 'set' && Array.isArray(value[1])) return value[1].map(word)
  return [word(value)]
}

function word(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  if (Array.isArray(value) && value[0] === 'uuid' && typeof value[1] === 'string') return value[1]
  return unreadable('a value of Open vSwitch')
}

function parseArray(json: string): readonly unknown[] {
  const value = parseJson(json)
  return Array.isArray(value) ? (value as readonly unknown[]) : unreadable('a list of links')
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json) as unknown
  } catch {
    return unreadable('JSON')
  }
}

function field(value: unknown, name: string): string | undefined {
  const member = isObject(value) ? value[name] : undefined
  return typeof member === 'string' ? member : undefined
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Names that an inventory may give to a port; see `Nic`. */
function isPortName(name: string): boolean {
  return /^[A-Za-z0-9_.-]{1,15}$/.test(name)
}

function unreadable(what: string): never {
  throw new UnreadableOutput(`facts of the host: ${what} is not what the probe prints`)
}
