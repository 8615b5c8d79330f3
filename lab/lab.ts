import { existsSync, readFileSync, readdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type LabHost, createKey, knownHostLine, sshPidFile, startHost } from './host.ts'
import { type Namespace, createNamespace } from './namespace.ts'
import { type LabGuestPlan, type LabPlan, outsideAddresses } from './plan.ts'
import { type LabEntry, endLab, keepLab, registerLab } from './registry.ts'
import {
  type Sites,
  addOvsBridge,
  clearManagement,
  layOut,
  requireFreeManagement,
  settleHost,
} from './topology.ts'

/** Hosts, guests and the outside node, running. */
export interface Lab {
  readonly prefix: string
  /** The lab's own; gone after `stop`. */
  readonly directory: string
  readonly hosts: ReadonlyMap<string, LabHost>
  readonly guests: ReadonlyMap<string, LabGuest>
  readonly outside: LabNode
  /** For `ssh -F`: knows every host by name and by address, its key, and our key. */
  readonly sshConfigFile: string
  readonly knownHostsFile: string
  readonly privateKeyFile: string
  /** Lets the lab outlive this process, until `lab/stop`. */
  keep(): void
  /** Ends everything of the lab. Doing it again does nothing. */
  stop(): void
}

/** Something that sends and receives packets. */
export interface LabNode {
  readonly name: string
  readonly namespace: Namespace
  /** Without lengths. */
  readonly addresses: readonly string[]
}

export interface LabGuest extends LabNode {
  readonly host: string
  /** Of `eth0`, as `mac` is; `addresses` are those of every NIC. */
  readonly port: string
  readonly mac: string
}

/**
 * Starts a lab around this process, which must run in a network namespace of its own (`lab/setup.sh` does that): the
 * hosts' management network is a bridge in it. One lab at a time per such namespace. A start that fails leaves nothing.
 */
export async function startLab(plan: LabPlan): Promise<Lab> {
  requireControllerNamespace()
  requireFreeManagement()
  checkNames(plan)
  const entry = registerLab(plan.prefix, namespaceNames(plan))
  const stop = () => stopLab(plan, entry)
  process.once('exit', stop)
  try {
    const lab = startEverything(plan, entry, stop)
    await Promise.all(
      plan.hosts.map((host) => sshAnswers(host.address, sshPidFile(join(entry.directory, host.name)))),
    )
    return lab
  } catch (error) {
    stop()
    process.off('exit', stop)
    throw error
  }
}

/** Throws unless this process is in a network namespace that ip-netns(8) knows by a name, and not in the machine's own. */
export function requireControllerNamespace(): void {
  const own = statSync('/proc/self/ns/net')
  const named = existsSync('/run/netns') ? readdirSync('/run/netns') : []
  const inNamed = named.some((name) => {
    const { dev, ino } = statSync(join('/run/netns', name), { throwIfNoEntry: false }) ?? {}
    return dev === own.dev && ino === own.ino
  })
  if (inNamed && !isNamespaceOfInit()) return
  throw new Error(
    'the lab needs a network namespace of its own: run `npm test` or `npm run demo`, which make one',
  )
}

/** Some machines hide it even from root; then the name must do. */
function isNamespaceOfInit(): boolean {
  try {
    return readlinkSync('/proc/1/ns/net') === readlinkSync('/proc/self/ns/net')
  } catch {
    return false
  }
}

function startEverything(plan: LabPlan, entry: LabEntry, stop: () => void): Lab {
  const at = (...path: readonly string[]) => join(entry.directory, ...path)
  const sites = createSites(plan, entry)
  layOut(plan, sites)
  const publicKey = createKey(at('key'))
  const hosts = plan.hosts.map((host) => {
    const labHost = startHost(host, siteOf(sites.hosts, host.name), at(host.name), { publicKey })
    for (const bridge of host.bridges)
      if (labHost.ovs !== undefined && bridge.datapath === 'ovs')
        addOvsBridge(plan, host, bridge, labHost.ovs)
    settleHost(host, labHost.namespace)
    labHost.startSsh()
    return labHost
  })
  writeFileSync(at('known_hosts'), plan.hosts.map((host) => knownHostLine(host, at(host.name))).join(''))
  writeFileSync(at('ssh_config'), sshConfig(plan, at('known_hosts'), at('key')))
  return {
    prefix: entry.prefix,
    directory: entry.directory,
    hosts: new Map(hosts.map((host) => [host.name, host])),
    guests: new Map(
      plan.guests.map((guest) => [guest.name, labGuest(guest, siteOf(sites.guests, guest.name))]),
    ),
    outside: {
      name: 'outside',
      namespace: sites.outside,
      addresses: [...(plan.outsideAddresses ?? outsideAddresses), ...plan.gateways.map(withoutLength)],
    },
    sshConfigFile: at('ssh_config'),
    knownHostsFile: at('known_hosts'),
    privateKeyFile: at('key'),
    keep: () => {
      keepLab(entry.prefix)
      process.off('exit', stop)
    },
    stop: () => {
      stop()
      process.off('exit', stop)
    },
  }
}

function createSites(plan: LabPlan, entry: LabEntry): Sites {
  const create = (name: string) => createNamespace(`${entry.prefix}-${name}`)
  return {
    fabric: create('fabric'),
    outside: create('outside'),
    hosts: new Map(plan.hosts.map((host) => [host.name, create(host.name)])),
    guests: new Map(plan.guests.map((guest) => [guest.name, create(guest.name)])),
  }
}

function labGuest(plan: LabGuestPlan, namespace: Namespace): LabGuest {
  const [nic] = plan.nics
  if (nic === undefined) throw new Error(`guest "${plan.name}": it has no NIC`)
  return {
    name: plan.name,
    namespace,
    host: plan.host,
    port: nic.port,
    mac: nic.mac,
    addresses: plan.nics.flatMap((each) => each.addresses.map(withoutLength)),
  }
}

/** What sshd's readiness is: it says that it listens, and it greets. At most 10 s. */
async function sshAnswers(address: string, pidFile: string): Promise<void> {
  const deadline = Date.now() + 10_000
  while (Date.now() < deadline) {
    if (existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '' && (await greets(address))) return
    await delay(10)
  }
  throw new Error(`${address}: its sshd did not answer within 10 s`)
}

function greets(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 22, timeout: 500 })
    const settle = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('data', (greeting) => settle(greeting.toString('latin1').startsWith('SSH-')))
    socket.once('timeout', () => settle(false))
    socket.once('error', () => settle(false))
  })
}

function stopLab(plan: LabPlan, entry: LabEntry): void {
  if (!existsSync(entry.directory)) return
  clearManagement(plan)
  endLab(entry)
}

function sshConfig(plan: LabPlan, knownHostsFile: string, privateKeyFile: string): string {
  const hosts = plan.hosts.map((host) => `Host ${host.name}\n  HostName ${host.address}\n`)
  const all = [
    'User root',
    `IdentityFile ${privateKeyFile}`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    `UserKnownHostsFile ${knownHostsFile}`,
    'GlobalKnownHostsFile /dev/null',
    'StrictHostKeyChecking yes',
    'BatchMode yes',
    'ControlMaster no',
    'ControlPath none',
  ]
  return `${hosts.join('')}Host *\n${all.map((line) => `  ${line}\n`).join('')}`
}

function namespaceNames(plan: LabPlan): readonly string[] {
  return ['fabric', 'outside', ...[...plan.hosts, ...plan.guests].map((each) => each.name)]
}

/** They become names of namespaces and directories, and words of ssh_config(5). */
function checkNames(plan: LabPlan): void {
  const names = namespaceNames(plan)
  for (const [index, name] of names.entries()) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw new Error(`lab plan: "${name}": not a name`)
    if (names.indexOf(name) !== index) throw new Error(`lab plan: "${name}": two of this name`)
  }
  for (const host of plan.hosts)
    if (!/^192\.0\.2\.\d+$/.test(host.address))
      throw new Error(
        `host "${host.name}": its address "${host.address}" is not in 192.0.2.0/24, the lab's management network`,
      )
}

function siteOf(sites: ReadonlyMap<string, Namespace>, name: string): Namespace {
  const site = sites.get(name)
  if (site === undefined) throw new Error(`lab: no namespace for "${name}"`)
  return site
}

function withoutLength(address: string): string {
  return address.replace(/\/.*/, '')
}
