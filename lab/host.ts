import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Namespace, type RunResult, runCommand, runOrThrow } from './namespace.ts'
import { type OpenVSwitch, endDaemon, startOpenVSwitch } from './openvswitch.ts'
import type { LabHostPlan } from './plan.ts'

/**
 * A hypervisor of the lab: a network namespace, and a mount and a host name namespace in which it has its own `/run`,
 * `/var/lib`, `/tmp`, `/root` and `/sys`. What a product leaves there, it leaves on this host only.
 */
export interface LabHost {
  readonly name: string
  /** Of its network only: for links and packets. `run` is for programs. */
  readonly namespace: Namespace
  /** Where sshd listens, on `mgmt0`, port 22. */
  readonly address: string
  /** What it has on its bridges, without lengths. */
  readonly addresses: readonly string[]
  /** When it has an Open vSwitch bridge. */
  readonly ovs?: OpenVSwitch
  /** The host's `/var/lib/gitwall`, as the controller sees it. Absent until somebody makes it there. */
  readonly stateDirectory: string
  /** Runs a command as a shell on the host would: its network, its mounts, its name; at most 60 s. */
  run(argv: readonly string[], stdin?: string): RunResult
  /** Like `run`, but throws with the command's stderr when it fails. Gives back stdout. */
  must(argv: readonly string[], stdin?: string): string
  /** argv that runs `argv` on the host, for callers that spawn themselves. */
  enter(argv: readonly string[]): readonly string[]
  /** Starts sshd; ready when `sshd.pid` of its directory has content and port 22 answers. */
  startSsh(): void
  /** Ends the listening sshd; sessions go on, as after `systemctl stop ssh`. */
  stopSsh(): void
}

/** What sshd of every host takes from the lab. */
export interface HostAccess {
  /** Line of an `authorized_keys` file. */
  readonly publicKey: string
}

/** A host without its bridges: its directories, its mounts, its Open vSwitch when it needs one, its sshd. */
export function startHost(
  plan: LabHostPlan,
  namespace: Namespace,
  directory: string,
  access: HostAccess,
): LabHost {
  fillDirectories(plan, directory, access)
  const ovs = plan.bridges.some((bridge) => bridge.datapath === 'ovs')
    ? startOpenVSwitch(namespace, join(directory, 'run/openvswitch'))
    : undefined
  const anchor = namespace
    .must([
      'unshare',
      '--mount',
      '--uts',
      '--propagation',
      'private',
      'sh',
      '-c',
      mountScript,
      'sh',
      directory,
      plan.name,
    ])
    .trim()
  const prefix = ['nsenter', '--target', anchor, '--net', '--mount', '--uts', '--', 'env', 'HOME=/root']
  const enter = (argv: readonly string[]) => [...prefix, ...argv]
  return {
    name: plan.name,
    namespace,
    address: plan.address,
    addresses: plan.bridges.flatMap((bridge) =>
      bridge.addresses.map((address) => address.replace(/\/.*/, '')),
    ),
    ...(ovs === undefined ? {} : { ovs }),
    stateDirectory: join(directory, 'var-lib/gitwall'),
    run: (argv, stdin) => runCommand(enter(argv), stdin),
    must: (argv, stdin) => runOrThrow(enter(argv), stdin),
    enter,
    startSsh: () =>
      void runOrThrow(enter(['/usr/sbin/sshd', '-f', '/run/ssh/sshd_config', '-E', '/run/ssh/log'])),
    stopSsh: () => endDaemon(sshPidFile(directory)),
  }
}

/** The file in which a host's sshd writes its process id once it listens. */
export function sshPidFile(directory: string): string {
  return join(directory, 'run/ssh/sshd.pid')
}

/** Line of a `known_hosts` file for a host: by its address and by its name. */
export function knownHostLine(plan: LabHostPlan, directory: string): string {
  return `${plan.address},${plan.name} ${readFileSync(join(directory, 'run/ssh/host_key.pub'), 'utf8').trim()}\n`
}

/** Makes a key pair: `file` and `file.pub`. Gives back the public line. */
export function createKey(file: string): string {
  runOrThrow(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'gitwall-lab', '-f', file])
  return readFileSync(`${file}.pub`, 'utf8')
}

/**
 * What the host's namespaces see in place of the machine's own. `/run` comes last: the lab's directory lies in it. A
 * process stays, so that the namespaces live without sshd; it prints its id.
 */
const mountScript = `
  set -eu
  mount -t sysfs sysfs /sys
  mount --bind "$1/var-lib" /var/lib
  mount --bind "$1/tmp" /tmp
  mount --bind "$1/root" /root
  mount --bind "$1/shadow" /etc/shadow
  [ ! -d "$1/alternatives" ] || mount --bind "$1/alternatives" /etc/alternatives
  for tools in "$1"/run/tools/*; do
    [ -d "$tools" ] || continue
    mount --bind "$(readlink "$tools/of")" "$tools/all"
    mount --bind "$tools/shown" "$(readlink "$tools/of")"
  done
  mount --rbind "$1/run" /run
  hostname "$2"
  setsid sleep infinity </dev/null >/dev/null 2>&1 &
  echo $!`

function fillDirectories(plan: LabHostPlan, directory: string, access: HostAccess): void {
  const at = (path: string) => join(directory, path)
  for (const path of ['var-lib', 'root', 'tmp', 'run/lock', 'run/sshd', 'run/ssh'])
    mkdirSync(at(path), { recursive: true, mode: 0o755 })
  chmodSync(at('root'), 0o700)
  chmodSync(at('tmp'), 0o1777)
  // An account whose password starts with "!" is locked, for keys too; Ubuntu locks root so. See sshd(8), LOGIN PROCESS.
  writeFileSync(at('shadow'), 'root:*:20000:0:99999:7:::\n', { mode: 0o600 })
  createKey(at('run/ssh/host_key'))
  writeFileSync(at('run/ssh/authorized_keys'), access.publicKey)
  writeFileSync(at('run/ssh/sshd_config'), sshdConfig(plan.address))
  if (plan.iptables !== undefined) chooseIptables(plan.iptables, at('alternatives'))
  if (plan.without !== undefined) hideTools(plan.without, at('run/tools'))
}

/** Paths are those inside the host. */
function sshdConfig(address: string): string {
  return [
    `ListenAddress ${address}`,
    'HostKey /run/ssh/host_key',
    'AuthorizedKeysFile /run/ssh/authorized_keys',
    'PidFile /run/ssh/sshd.pid',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'StrictModes no',
    'UsePAM no',
    'UseDNS no',
    'PrintMotd no',
    'MaxStartups 200',
    'MaxSessions 100',
    'Subsystem sftp internal-sftp',
    '',
  ].join('\n')
}

/** The links that update-alternatives(1) would set, in the host's own copy of them. */
function chooseIptables(backend: 'nft' | 'legacy', directory: string): void {
  cpSync('/etc/alternatives', directory, { recursive: true, verbatimSymlinks: true })
  for (const family of ['iptables', 'ip6tables'])
    for (const suffix of ['', '-save', '-restore']) {
      const link = join(directory, `${family}${suffix}`)
      rmSync(link, { force: true })
      symlinkSync(`/usr/sbin/${family}-${backend}${suffix}`, link)
    }
}

/**
 * Makes programs absent, not just forbidden: the directory they lie in is shown as links to all others. `all` will be the
 * real directory, seen from the host.
 */
function hideTools(names: readonly string[], directory: string): void {
  const toolDirectories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin']
  const holding = toolDirectories.filter((path) => names.some((name) => existsSync(join(path, name))))
  holding.forEach((path, index) => {
    const tools = join(directory, `${index}`)
    mkdirSync(join(tools, 'all'), { recursive: true })
    mkdirSync(join(tools, 'shown'))
    symlinkSync(path, join(tools, 'of'))
    for (const tool of readdirSync(path))
      if (!names.includes(tool)) symlinkSync(`/run/tools/${index}/all/${tool}`, join(tools, 'shown', tool))
  })
}
