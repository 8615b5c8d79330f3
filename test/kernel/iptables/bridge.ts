import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type Namespace, createNamespace } from '../../../lab/namespace.ts'
import type { Mac } from '../../../src/net/mac.ts'
import { type TestHost, createHost } from './host.ts'

const script = join(import.meta.dirname, 'node.py')

/** Nothing that a test starts lives longer. */
const lifetimeSeconds = 60

/** A machine behind a port of the bridge; `port` is the name of the host's end. */
export interface Node {
  readonly namespace: Namespace
  readonly port: string
  readonly mac: Mac
  readonly v4: string
  readonly v6: string
}

export interface Probe {
  readonly kind: 'tcp' | 'udp' | 'ping'
  readonly to: string
  readonly port?: number
  readonly from?: string
  /** Default 0.4. */
  readonly patienceSeconds?: number
}

/** A hypervisor with a Linux bridge, guests, and an outside behind its uplink; all real but for the guests being namespaces. */
export interface TestBridge {
  readonly host: TestHost
  readonly own: { readonly v4: string; readonly v6: string }
  readonly web: Node
  readonly db: Node
  /** Behind a port that no inventory names. */
  readonly stray: Node
  /** Also has 10.0.0.50 and 2001:db8::50. */
  readonly outside: Node
  /** What became of each probe, all of them tried at once. */
  try(node: Node, probes: readonly Probe[]): readonly ('passed' | 'refused' | 'silent')[]
  /** Sends `frames` (hex) out of `from` and gives back those of `awaited` that reached `to`. */
  forge(
    from: Node,
    to: Node,
    frames: readonly string[],
    awaited?: readonly string[],
  ): Promise<readonly string[]>
  start(node: Node, args: readonly string[]): ChildProcess
  delete(): void
}

/** See ip-link(8); `bridge-nf-call-iptables` is a setting of each network namespace since Linux 5.3. */
export async function createBridge(iptables: 'nft' | 'legacy'): Promise<TestBridge> {
  const host = createHost(iptables)
  const tag = `${process.pid}-${randomBytes(4).toString('hex')}`
  const nodes: Node[] = []
  const started: ChildProcess[] = []
  const hypervisor = host.namespace

  hypervisor.must([
    'sysctl',
    '-qw',
    'net.bridge.bridge-nf-call-iptables=1',
    'net.bridge.bridge-nf-call-ip6tables=1',
  ])
  hypervisor.must(['sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0'])
  hypervisor.must([
    'ip',
    'link',
    'add',
    'vmbr0',
    'type',
    'bridge',
    'forward_delay',
    '0',
    'mcast_snooping',
    '0',
  ])
  hypervisor.must(['ip', 'link', 'set', 'vmbr0', 'up'])
  const own = { v4: '10.0.0.254', v6: '2001:db8::254' }
  addAddresses(hypervisor, 'vmbr0', [`${own.v4}/24`, `${own.v6}/64`])

  function addNode(name: string, port: string, number: number): Node {
    const namespace = createNamespace(`gw${name}${tag}`)
    const node = { namespace, port, mac: macOf(number), v4: `10.0.0.${number}`, v6: `2001:db8::${number}` }
    nodes.push(node)
    namespace.must(['sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0'])
    hypervisor.must([
      'ip',
      'link',
      'add',
      port,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      namespace.name,
    ])
    namespace.must(['ip', 'link', 'set', 'eth0', 'address', node.mac, 'up'])
    addAddresses(namespace, 'eth0', [`${node.v4}/24`, `${node.v6}/64`])
    hypervisor.must(['ip', 'link', 'set', port, 'master', 'vmbr0', 'up'])
    return node
  }
  const [web, db] = [addNode('w', 'tap101i0', 11), addNode('d', 'tap102i0', 12)]
  const [stray, outside] = [addNode('s', 'tap103i0', 13), addNode('o', 'uplink0', 1)]
  addAddresses(outside.namespace, 'eth0', ['10.0.0.50/24', '2001:db8::50/64'])

  function start(namespace: Namespace, args: readonly string[]): ChildProcess {
    const [command = '', ...rest] = namespace.enter(['python3', script, ...args])
    const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
    started.push(child)
    return child
  }
  const servers = [hypervisor, ...nodes.map((node) => node.namespace)].map((one) =>
    start(one, ['serve', `${lifetimeSeconds}`]),
  )
  function stopAll(): void {
    for (const child of started) child.kill('SIGKILL')
    for (const node of nodes) node.namespace.delete()
    host.delete()
  }
  await Promise.all(servers.map((server) => said(server, 'ready'))).catch((error: unknown) => {
    stopAll()
    throw error
  })

  return {
    host,
    own,
    web,
    db,
    stray,
    outside,
    try: (node, probes) =>
      JSON.parse(node.namespace.must(['python3', script, 'try'], JSON.stringify(probes))) as never,
    async forge(from, to, frames, awaited = frames) {
      const sniffer = start(to.namespace, ['sniff', '20'])
      const output = outputOf(sniffer)
      await said(sniffer, 'ready')
      from.namespace.must(['python3', script, 'forge'], frames.join('\n'))
      sniffer.kill('SIGTERM')
      const seen = await output
      return awaited.filter((frame) => seen.includes(frame))
    },
    start: (node, args) => start(node.namespace, args),
    delete: stopAll,
  }
}

function macOf(number: number): Mac {
  return `52:54:00:00:00:${number.toString(16).padStart(2, '0')}` as Mac
}

function addAddresses(namespace: Namespace, device: string, addresses: readonly string[]): void {
  for (const address of addresses) namespace.must(['ip', 'addr', 'add', address, 'dev', device])
}

async function said(child: ChildProcess, word: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (data: Buffer) => data.toString().includes(word) && resolve())
    child.once('exit', (code) => reject(new Error(`${word} never came: exit ${code}`)))
  })
}

/** Everything a process prints until it ends. */
export async function outputOf(child: ChildProcess): Promise<string> {
  return await new Promise((resolve) => {
    let text = ''
    child.stdout?.on('data', (data: Buffer) => {
      text += data.toString()
    })
    child.once('close', () => resolve(text))
  })
}
