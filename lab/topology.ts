import type { LabBridgePlan, LabGuestPlan, LabHostPlan, LabPlan } from './plan.ts'
import { outsideAddresses } from './plan.ts'
import { type Namespace, runCommand, runOrThrow } from './namespace.ts'
import type { OpenVSwitch } from './openvswitch.ts'

/** The controller's own address; every host's management address is in the same /24. */
const controllerAddress = '192.0.2.1'

/** The bridge in the controller's namespace that the hosts' `mgmt0` lead to. */
const managementBridge = 'gwmgmt0'

/** One line of `ip -batch`; see ip(8). Its words are checked by `checkWord`. */
type IpCommand = readonly string[]

/** What brings a namespace from nothing to its state: kernel variables first, then `ip` lines, then checksums. */
interface Settings {
  /** Paths under /proc/sys with their values. */
  readonly sysctls?: readonly (readonly [path: string, value: string])[]
  readonly commands: readonly IpCommand[]
  /**
   * Interfaces that compute their checksums themselves. A veth leaves them to a card that does not exist, and the
   * userspace datapath of Open vSwitch (3.1) then calls every TCP packet invalid.
   */
  readonly checksummed?: readonly string[]
}

/** The namespaces of a lab, before anything is in them. */
export interface Sites {
  readonly fabric: Namespace
  readonly outside: Namespace
  readonly hosts: ReadonlyMap<string, Namespace>
  readonly guests: ReadonlyMap<string, Namespace>
}

/** Makes every link of the lab, from where both of its ends can be reached. Order matters: a veth needs both namespaces. */
export function layOut(plan: LabPlan, sites: Sites): void {
  settle(undefined, {
    commands: [
      ['link', 'add', 'name', managementBridge, 'type', 'bridge', 'forward_delay', '0'],
      ['link', 'set', 'dev', managementBridge, 'up'],
      ['address', 'replace', `${controllerAddress}/24`, 'dev', managementBridge],
    ],
  })
  settle(sites.fabric, {
    sysctls: quiet,
    commands: [
      // Snooping would make multicast depend on who asked for it when.
      ['link', 'add', 'name', 'fabric0', 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0'],
      ['link', 'set', 'dev', 'fabric0', 'up'],
    ],
  })
  plan.hosts.forEach((host, index) => wireHost(plan, host, index, sites))
  settle(undefined, {
    commands: plan.hosts.flatMap((_, index) => attached(`m${index}`, managementBridge)),
  })
  settleOutside(plan, sites)
  const uplinks = plan.hosts.flatMap((host, index) =>
    host.bridges.map((_, position) => `u${index}b${position}`),
  )
  settle(sites.fabric, { commands: [...uplinks, 'outside0'].flatMap((link) => attached(link, 'fabric0')) })
  for (const guest of plan.guests) settleGuest(guest, siteOf(sites.guests, guest.name))
}

/** Throws when another lab holds the controller's namespace. */
export function requireFreeManagement(): void {
  if (runCommand(['ip', 'link', 'show', 'dev', managementBridge]).code === 0)
    throw new Error('another lab runs in this network namespace: stop it first, or take another namespace')
}

/** Removes what `layOut` put into the controller's namespace; absent is fine. The rest goes with its namespace. */
export function clearManagement(plan: LabPlan): void {
  const links = [...plan.hosts.map((_, index) => `m${index}`), managementBridge]
  runCommand(['ip', '-force', '-batch', '-'], links.map((link) => `link delete dev ${link}\n`).join(''))
}

/** The host's own side once its bridges exist: addresses, routes, and the frames of its bridges shown to iptables. */
export function settleHost(host: LabHostPlan, site: Namespace): void {
  const bridges = host.bridges.flatMap((bridge) => [
    ...bridge.addresses.map((address) => addressAdded(address, bridge.name)),
    ['link', 'set', 'dev', bridge.name, 'up'],
    ...bridge.gateways.map((gateway) => defaultRoute(gateway, bridge.name)),
  ])
  settle(site, {
    sysctls: [
      ['net/ipv6/conf/all/accept_dad', '0'],
      ['net/bridge/bridge-nf-call-iptables', '1'],
      ['net/bridge/bridge-nf-call-ip6tables', '1'],
      ...host.bridges.flatMap((bridge) => speaking(bridge.name)),
      ...speaking('mgmt0'),
    ],
    commands: [
      addressAdded(`${host.address}/24`, 'mgmt0'),
      ['link', 'set', 'dev', 'mgmt0', 'up'],
      ...bridges,
    ],
  })
}

/** Puts the ports of an Open vSwitch bridge into it, all in one transaction. A secure bridge without flows passes nothing. */
export function addOvsBridge(
  plan: LabPlan,
  host: LabHostPlan,
  bridge: LabBridgePlan,
  ovs: OpenVSwitch,
): void {
  const ports = [bridge.uplink, ...portsOf(plan, host, bridge)]
  const settings = [
    'datapath_type=netdev',
    'fail_mode=secure',
    `other-config:hwaddr="${bridgeMac(plan, host, bridge)}"`,
  ]
  ovs.vsctl(
    'add-br',
    bridge.name,
    '--',
    'set',
    'bridge',
    bridge.name,
    ...settings,
    ...ports.flatMap((port) => ['--', 'add-port', bridge.name, port]),
  )
  const refused = ports.filter(
    (port) => !/^[1-9]\d*$/.test(ovs.vsctl('get', 'interface', port, 'ofport').trim()),
  )
  if (refused.length > 0) throw new Error(`${host.name}: Open vSwitch did not take ${refused.join(', ')}`)
}

function wireHost(plan: LabPlan, host: LabHostPlan, index: number, sites: Sites): void {
  const nics = plan.guests.flatMap((guest) =>
    guest.host === host.name ? guest.nics.map((nic, position) => ({ guest, nic, position })) : [],
  )
  settle(siteOf(sites.hosts, host.name), {
    sysctls: quiet,
    commands: [
      // By process id: the controller's namespace is ours, and may have no name.
      [...veth('mgmt0', `m${index}`), 'netns', `${process.pid}`],
      ...host.bridges.map((bridge, position) => [
        ...veth(bridge.uplink, `u${index}b${position}`),
        'netns',
        sites.fabric.name,
      ]),
      ...nics.map(({ guest, nic, position }) => [
        ...veth(nic.port, `eth${position}`),
        'address',
        nic.mac,
        'netns',
        siteOf(sites.guests, guest.name).name,
      ]),
      // As libvirt does: the host's end of a tap is fe:…, so that it never becomes the lowest MAC of a bridge.
      ...nics.map(({ nic }) => ['link', 'set', 'dev', nic.port, 'address', `fe${nic.mac.slice(2)}`, 'up']),
      ...host.bridges.map((bridge) => ['link', 'set', 'dev', bridge.uplink, 'up']),
      ...host.bridges.flatMap((bridge) =>
        bridge.datapath === 'linux' ? linuxBridge(plan, host, bridge) : [],
      ),
    ],
    checksummed: ['mgmt0', ...host.bridges.map((bridge) => bridge.uplink)],
  })
}

function linuxBridge(plan: LabPlan, host: LabHostPlan, bridge: LabBridgePlan): readonly IpCommand[] {
  return [
    ['link', 'add', 'name', bridge.name, 'type', 'bridge', 'forward_delay', '0'],
    ['link', 'set', 'dev', bridge.name, 'address', bridgeMac(plan, host, bridge)],
    ...[bridge.uplink, ...portsOf(plan, host, bridge)].map(
      (port) => attached(port, bridge.name)[0] as IpCommand,
    ),
  ]
}

function settleOutside(plan: LabPlan, sites: Sites): void {
  settle(sites.outside, {
    sysctls: [
      ['net/ipv4/ip_forward', '1'],
      ['net/ipv6/conf/all/forwarding', '1'],
      ['net/ipv4/conf/all/send_redirects', '0'],
      ['net/ipv6/conf/all/accept_dad', '0'],
    ],
    commands: [[...veth('eth0', 'outside0'), 'netns', sites.fabric.name]],
  })
  settle(sites.outside, {
    sysctls: speaking('eth0'),
    commands: [
      ...(plan.outsideAddresses ?? outsideAddresses).map((address) => addressAdded(address, 'lo')),
      ...plan.gateways.map((gateway) => addressAdded(gateway, 'eth0')),
      ['link', 'set', 'dev', 'eth0', 'up'],
    ],
    checksummed: ['eth0'],
  })
}

function settleGuest(guest: LabGuestPlan, site: Namespace): void {
  const links = guest.nics.map((_, position) => `eth${position}`)
  settle(site, {
    sysctls: [['net/ipv6/conf/all/accept_dad', '0'], ...links.flatMap(speaking)],
    commands: guest.nics.flatMap((nic, position) => {
      const link = `eth${position}`
      return [
        ...nic.addresses.map((address) => addressAdded(address, link)),
        ['link', 'set', 'dev', link, 'up'],
        ...(position === 0 ? nic.gateways.map((gateway) => defaultRoute(gateway, link)) : []),
      ]
    }),
    checksummed: links,
  })
}

/** IPv6 off by default, so that bridge ports and uplinks do not speak for themselves. */
const quiet: NonNullable<Settings['sysctls']> = [
  ['net/ipv6/conf/default/disable_ipv6', '1'],
  ['net/ipv6/conf/default/accept_dad', '0'],
]

/**
 * For interfaces that do. Neighbours are asked for again after 0.1 s instead of 1 s: what a firewall lets through from now
 * on passes at once, also when nothing passed until now. See arp(7), retrans_time_ms.
 */
function speaking(link: string): NonNullable<Settings['sysctls']> {
  return [
    [`net/ipv6/conf/${link}/disable_ipv6`, '0'],
    [`net/ipv6/conf/${link}/accept_dad`, '0'],
    [`net/ipv4/neigh/${link}/retrans_time_ms`, '100'],
    [`net/ipv6/neigh/${link}/retrans_time_ms`, '100'],
  ]
}

/** The same on every start and the lowest of the bridge's ports or not: neighbours remember it. */
function bridgeMac(plan: LabPlan, host: LabHostPlan, bridge: LabBridgePlan): string {
  const octets = [plan.hosts.indexOf(host) + 1, host.bridges.indexOf(bridge)]
  return `02:67:77:00:${octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':')}`
}

function portsOf(plan: LabPlan, host: LabHostPlan, bridge: LabBridgePlan): readonly string[] {
  const nics = plan.guests.flatMap((guest) => (guest.host === host.name ? guest.nics : []))
  return nics.flatMap((nic) => (nic.bridge === bridge.name ? [nic.port] : []))
}

function veth(name: string, peer: string): IpCommand {
  return ['link', 'add', 'name', name, 'type', 'veth', 'peer', 'name', peer]
}

function attached(link: string, bridge: string): readonly IpCommand[] {
  return [['link', 'set', 'dev', link, 'master', bridge, 'up']]
}

function addressAdded(address: string, link: string): IpCommand {
  return ['address', 'add', address, 'dev', link, ...(address.includes(':') ? ['nodad'] : [])]
}

function defaultRoute(gateway: string, link: string): IpCommand {
  return ['route', 'add', 'default', 'via', gateway, 'dev', link]
}

/** Runs once in the namespace; `undefined` is where we are. Values arrive as arguments and on stdin, never as shell text. */
function settle(site: Namespace | undefined, settings: Settings): void {
  const { sysctls = [], commands, checksummed = [] } = settings
  const argv = ['sh', '-c', settleScript, 'sh', ...sysctls.flat(), '--', ...checksummed]
  const batch = commands.map((command) => `${command.map(checkWord).join(' ')}\n`).join('')
  if (site === undefined) runOrThrow(argv, batch)
  else site.must(argv, batch)
}

const settleScript = `
  set -e
  while [ "$1" != -- ]; do printf '%s' "$2" >"/proc/sys/$1"; shift 2; done
  shift
  ip -batch -
  for link; do ethtool -K "$link" tx off >/dev/null; done`

/** `ip -batch` splits at blanks, and reads quotes, backslashes and \`#\`. */
function checkWord(word: string): string {
  if (/^[A-Za-z0-9_.:/@-]+$/.test(word)) return word
  throw new Error(
    `lab plan: "${word}": only letters, digits and . _ : / @ - can stand in a name or an address`,
  )
}

function siteOf(sites: ReadonlyMap<string, Namespace>, name: string): Namespace {
  const site = sites.get(name)
  if (site === undefined) throw new Error(`lab: no namespace for "${name}"`)
  return site
}
