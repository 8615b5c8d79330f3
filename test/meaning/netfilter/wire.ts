import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type Namespace, createNamespace } from '../../../lab/namespace.ts'
import type { Capture } from '../../../src/meaning/capture.ts'
import type { Frame } from '../../../src/meaning/frame.ts'
import { type TestHost, createHost } from '../../kernel/iptables/host.ts'
import { bytesOf, ipBytesOf, transportBytesOf } from './wire-frame.ts'

const script = join(import.meta.dirname, 'wire.py')

/** MACs behind the ports, known to the bridge for good. */
export const macs = {
  tapa: '52:54:00:00:00:0a',
  tapb: '52:54:00:00:00:0b',
  tapc: '52:54:00:00:00:0c',
} as const

export type Port = keyof typeof macs

/** The hypervisor's own end. */
export const own = { mac: '52:54:00:00:00:fe', v4: '10.0.0.254', v6: '2001:db8::254' } as const

/** A frame to send, told apart from all others of its batch by `serial` (20 bits). */
export interface Shot {
  readonly from: Port
  readonly frame: Frame
  readonly serial: number
}

/** A real kernel's bridge with three ports, and what passes it. */
export interface Wire {
  readonly host: TestHost
  /** What the host's tools print. */
  capture(): Capture
  /** Sends, and says for each shot at which ports it came out. */
  exchange(shots: readonly Shot[]): readonly (readonly Port[])[]
  /** Sends to the hypervisor, and says for each shot whether it got there. */
  toHost(shots: readonly Shot[]): Promise<readonly boolean[]>
  /** Sends as the hypervisor to behind a port, and says for each shot whether it came out. */
  fromHost(shots: readonly Omit<Shot, 'from'>[]): Promise<readonly boolean[]>
  delete(): void
}

/** A namespace with the bridge `vmbr0` of `tapa`, `tapb`, `tapc`, and one with their other ends. See ip-link(8), bridge(8). */
export function createWire(iptables: 'nft' | 'legacy'): Wire {
  const host = createHost(iptables)
  const hypervisor = host.namespace
  const guests = createNamespace(`gwx${process.pid}-${randomBytes(4).toString('hex')}`)
  setUp(hypervisor, guests)

  function exchange(shots: readonly Shot[]): readonly (readonly Port[])[] {
    const task = {
      devices: Object.keys(macs).map((port) => `${port}-g`),
      send: shots.map(({ from, frame, serial }) => [`${from}-g`, bytesOf(frame, serial)]),
    }
    const seen = JSON.parse(guests.must(python('exchange'), JSON.stringify(task))) as [string, string][]
    const portsByFrame = new Map<string, Port[]>()
    for (const [device, frame] of seen)
      portsByFrame.set(frame, [...(portsByFrame.get(frame) ?? []), device.replace('-g', '') as Port])
    return shots.map(({ frame, serial }) => (portsByFrame.get(untagged(bytesOf(frame, serial))) ?? []).sort())
  }
  async function toHost(shots: readonly Shot[]): Promise<readonly boolean[]> {
    const receiver = start(hypervisor, ['local'])
    const output = outputOf(receiver)
    await readyOf(receiver)
    exchange(shots)
    receiver.stdin?.end()
    const seen = new Set(JSON.parse((await output).replace('ready\n', '')) as string[])
    return shots.map(({ frame, serial }) => seen.has(transportBytesOf(frame, serial)))
  }
  async function fromHost(shots: readonly Omit<Shot, 'from'>[]): Promise<readonly boolean[]> {
    const listener = start(guests, ['listen', 'tapb-g'])
    const output = outputOf(listener)
    await readyOf(listener)
    hypervisor.must(
      python('output'),
      JSON.stringify(shots.map(({ frame, serial }) => ipBytesOf(frame, serial))),
    )
    listener.stdin?.end()
    const seen = JSON.parse((await output).replace('ready\n', '')) as [string, string][]
    const packets = new Set(seen.map(([, frame]) => frame.slice(28)))
    return shots.map(({ frame, serial }) => packets.has(ipBytesOf(frame, serial)))
  }
  return {
    host,
    capture: () => ({
      flows: new Map(),
      ports: new Map(),
      iptables: host.must(['iptables-save']),
      ip6tables: host.must(['ip6tables-save']),
      ipset: host.must(['ipset', 'save']),
      nft: hypervisor.must(['nft', '-s', 'list', 'ruleset']),
    }),
    exchange,
    toHost,
    fromHost,
    delete() {
      guests.delete()
      host.delete()
    },
  }
}

/** A receiving socket takes the tag off. */
function untagged(frame: string): string {
  return frame.replace(/^(.{24})8100.{4}/, '$1')
}

function python(...args: readonly string[]): readonly string[] {
  return ['/usr/bin/python3', '-I', '-S', script, ...args]
}

function start(namespace: Namespace, args: readonly string[]): ChildProcess {
  const [command = '', ...rest] = namespace.enter(python(...args))
  return spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
}

async function readyOf(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve())
    child.once('exit', (code) => reject(new Error(`wire.py: exit ${code}`)))
  })
}

async function outputOf(child: ChildProcess): Promise<string> {
  let text = ''
  child.stdout?.on('data', (data: Buffer) => {
    text += data.toString()
  })
  await new Promise((resolve) => child.once('close', resolve))
  return text
}

function setUp(hypervisor: Namespace, guests: Namespace): void {
  const bridge = 'net.bridge.bridge-nf-call'
  hypervisor.must(['sysctl', '-qw', `${bridge}-iptables=1`, `${bridge}-ip6tables=1`])
  for (const one of [hypervisor, guests])
    one.must(['sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1', 'net.ipv6.conf.default.accept_dad=0'])
  const options = ['forward_delay', '0', 'mcast_snooping', '0', 'ageing_time', '100000']
  hypervisor.must(['ip', 'link', 'add', 'vmbr0', 'address', own.mac, 'type', 'bridge', ...options])
  hypervisor.must(['sysctl', '-qw', 'net.ipv6.conf.vmbr0.disable_ipv6=0', 'net.ipv6.icmp.echo_ignore_all=1'])
  hypervisor.must(['sysctl', '-qw', 'net.ipv4.icmp_echo_ignore_all=1', 'net.ipv4.conf.all.rp_filter=0'])
  hypervisor.must(['ip', 'link', 'set', 'vmbr0', 'up'])
  for (const address of [`${own.v4}/24`, `${own.v6}/64`])
    hypervisor.must(['ip', 'addr', 'add', address, 'dev', 'vmbr0'])
  for (const [port, mac] of Object.entries(macs)) {
    const peer = ['peer', 'name', `${port}-g`, 'netns', guests.name]
    hypervisor.must(['ip', 'link', 'add', port, 'type', 'veth', ...peer])
    guests.must(['ip', 'link', 'set', `${port}-g`, 'arp', 'off', 'up'])
    hypervisor.must(['ip', 'link', 'set', port, 'master', 'vmbr0', 'up'])
    hypervisor.must(['bridge', 'link', 'set', 'dev', port, 'learning', 'off'])
    hypervisor.must(['bridge', 'fdb', 'add', mac, 'dev', port, 'master', 'static'])
  }
  for (const address of ['10.0.0.11', '2001:db8::11'])
    hypervisor.must(['ip', 'neigh', 'add', address, 'lladdr', macs.tapb, 'dev', 'vmbr0', 'nud', 'permanent'])
}
