import { type ChildProcess, spawn } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type Namespace,
  type RunResult,
  createNamespace,
  runCommand,
  runOrThrow,
} from '../../lab/namespace.ts'
import type { SshTarget } from '../../src/host/ssh-config.ts'

/** A host with a network and mounts of its own, and an sshd that is reached through a relay which can be made to fail. */
export interface TestHost {
  readonly target: SshTarget
  readonly namespace: Namespace
  /** Its `/var/lib/gitwall`. */
  readonly state: string
  readonly directory: string
  readonly relay: Relay
  /** Runs a command with the host's network and mounts. */
  run(argv: readonly string[], stdin?: string): RunResult
  /** Another key pair of type ed25519; gives back the private file. */
  createKey(name: string): string
  stop(): Promise<void>
}

/** Stands between us and sshd, on 127.0.0.1 here. */
export interface Relay {
  readonly port: number
  /** Ends every connection: as a closing peer does, or with a reset. */
  cut(how: 'fin' | 'rst'): void
  /** Connections made so far. */
  count(): number
  close(): void
}

let created = 0

/**
 * `/run/bin` comes first in the path of a login. `conntrack` is replaced by a shell there: a step of it runs its stdin, so that a tool can be slow, fail or hang at will.
 * `prepare` may put programs named `systemd-run` and `systemctl` into the directory, which then replace the machine's.
 */
export async function startTestHost(prepare: (directory: string) => void = () => {}): Promise<TestHost> {
  const name = `gwh${process.pid}-${created++}`
  const directory = mkdtempSync(join(tmpdir(), 'gitwall-host-'))
  const at = (file: string) => join(directory, file)
  for (const path of ['var-lib', 'run/sshd', 'run/bin', 'run/tmp', 'root'])
    mkdirSync(at(path), { recursive: true })
  const createKey = (file: string) => {
    runOrThrow(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', at(file)])
    return at(file)
  }
  createKey('host-key')
  createKey('client-key')
  writeFileSync(at('conntrack'), '#!/bin/sh\nexec sh -s\n')
  chmodSync(at('conntrack'), 0o755)
  writeFileSync(at('authorized_keys'), readFileSync(at('client-key.pub')))
  writeFileSync(at('sshd_config'), sshdConfig(directory))

  prepare(directory)
  const namespace = createNamespace(name)
  const [unshare = '', ...argv] = namespace.enter([
    'unshare',
    '--mount',
    'sh',
    '-c',
    mountScript,
    'sh',
    directory,
  ])
  const sshd = spawn(unshare, argv, { stdio: 'ignore' })
  const [nsenter = '', ...rest] = namespace.enter([process.execPath, '-e', inwardRelay, at('relay')])
  const inward = spawn(nsenter, rest, { stdio: 'ignore' })
  await until(() => existsSync(at('relay')) && existsSync(at('run/sshd.pid')), sshd)
  const relay = await startRelay(at('relay'))
  appendFileSync(at('known_hosts'), `[127.0.0.1]:${relay.port} ${readFileSync(at('host-key.pub'), 'utf8')}`)

  return {
    namespace,
    directory,
    relay,
    state: at('var-lib/gitwall'),
    createKey,
    target: {
      name: 'hv-1',
      hostname: '127.0.0.1',
      port: relay.port,
      user: 'root',
      identityFiles: [at('client-key')],
      identitiesOnly: false,
      knownHostsFiles: [at('known_hosts')],
      jumps: [],
      become: false,
    },
    run: (command, stdin) =>
      runCommand(['nsenter', '--target', `${sshd.pid}`, '--net', '--mount', '--', ...command], stdin),
    stop: async () => {
      relay.close()
      // Listener, sessions, sleepers: exactly the processes in this network.
      for (let round = 0; round < 50; round++) {
        const pids = runCommand(['ip', 'netns', 'pids', name]).stdout.split('\n').filter(Boolean)
        if (pids.length === 0) break
        runCommand(['kill', '-9', ...pids])
        await delay(20)
      }
      inward.kill()
      namespace.delete()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** sshd is process `$$`, so that its pid leads into the mount namespace. */
const mountScript = `
  set -e
  mount --make-rprivate /
  mount -t sysfs sysfs /sys
  mount --bind "$1/var-lib" /var/lib
  mount --bind "$1/root" /root
  mount --bind "$1/conntrack" /usr/sbin/conntrack
  for tool in systemd-run systemctl; do
    [ ! -e "$1/$tool" ] || mount --bind "$1/$tool" "/usr/bin/$tool"
  done
  mount --bind "$1/run" /run
  exec /usr/sbin/sshd -D -f "$1/sshd_config" -E "$1/log"`

function sshdConfig(directory: string): string {
  return [
    'ListenAddress 127.0.0.1:22',
    `HostKey ${directory}/host-key`,
    `AuthorizedKeysFile ${directory}/authorized_keys`,
    'PidFile /run/sshd.pid',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'StrictModes no',
    'UsePAM no',
    'UseDNS no',
    'MaxStartups 200',
    'SetEnv PATH=/run/bin:/usr/bin:/bin TMPDIR=/run/tmp',
    '',
  ].join('\n')
}

/** Runs inside the host's network. A socket in the file system is reached from every network. */
const inwardRelay = `
  const net = require('node:net')
  net.createServer({ allowHalfOpen: true }, (outer) => {
    const inner = net.connect({ host: '127.0.0.1', port: 22, allowHalfOpen: true })
    outer.pipe(inner).pipe(outer)
    for (const [one, other] of [[outer, inner], [inner, outer]])
      one.on('error', () => other.destroy()).on('close', () => other.destroy())
  }).listen(process.argv[1])`

/** A TCP port here that leads to a socket in the file system. */
async function startRelay(path: string): Promise<Relay> {
  const sockets = new Set<Socket>()
  let count = 0
  const server = await listen((outer) => {
    count++
    sockets.add(outer)
    const inner = connect(path)
    outer.pipe(inner).pipe(outer)
    outer.on('error', () => inner.destroy()).on('close', () => inner.destroy() && sockets.delete(outer))
    inner.on('error', () => outer.destroy()).on('close', () => outer.destroy())
  })
  return {
    port: (server.address() as AddressInfo).port,
    cut: (how) => {
      for (const socket of sockets) {
        if (how === 'rst') socket.resetAndDestroy()
        else socket.end()
      }
    },
    count: () => count,
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** A server on a free port of 127.0.0.1. */
export async function listen(serve: (socket: Socket) => void): Promise<Server> {
  const server = createServer(serve)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return server
}

/** Waits for `condition`, at most 10 s, or until `child` has ended. */
export async function until(condition: () => boolean, child?: ChildProcess): Promise<void> {
  for (let round = 0; round < 500; round++) {
    if (condition()) return
    if (child !== undefined && child.exitCode !== null) break
    await delay(20)
  }
  throw new Error('waited in vain')
}
