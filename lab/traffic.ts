import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Namespace } from './namespace.ts'

/** Where packets start or end: a guest, a host, the outside. */
export interface TrafficNode {
  readonly name: string
  readonly namespace: Namespace
}

/**
 * What became of a question: `passed` means that its answer came, with data where the protocol has any; `refused` that
 * somebody else said no (TCP reset, ICMP unreachable); `silent` that nothing came in time.
 */
export type Fate = 'passed' | 'refused' | 'silent'

interface ProbeOptions {
  /** One of the node's own addresses. Absent: the kernel chooses. */
  readonly sourceAddress?: string
  /** Absent: the kernel chooses. A TCP probe with one has a single attempt. */
  readonly sourcePort?: number
  /** For all attempts together. Default 1. */
  readonly timeoutSeconds?: number
  /** Sent again when nothing came: the first packets after a start may be lost. Default 3. */
  readonly attempts?: number
}

export type Probe = ProbeOptions &
  (
    | { readonly kind: 'tcp' | 'udp'; readonly to: string; readonly port: number }
    | { readonly kind: 'ping'; readonly to: string }
  )

/** Asks a server of `serve` for an echo. */
export async function tcp(
  from: TrafficNode,
  to: string,
  port: number,
  options: ProbeOptions = {},
): Promise<Fate> {
  return first(await probe(from, [{ ...options, kind: 'tcp', to, port }]))
}

/** Asks a server of `serve` for an echo. */
export async function udp(
  from: TrafficNode,
  to: string,
  port: number,
  options: ProbeOptions = {},
): Promise<Fate> {
  return first(await probe(from, [{ ...options, kind: 'udp', to, port }]))
}

/** ICMP or ICMPv6 echo. */
export async function ping(from: TrafficNode, to: string, options: ProbeOptions = {}): Promise<Fate> {
  return first(await probe(from, [{ ...options, kind: 'ping', to }]))
}

/** Many at once: all of one node start together, in one process. Fates in the order of `probes`. */
export async function probe(from: TrafficNode, probes: readonly Probe[]): Promise<readonly Fate[]> {
  const tasks = probes.map((each) => ({ timeoutSeconds: 1, attempts: 3, ...each }))
  const [line] = await runToEnd(from, 'probe', tasks)
  return JSON.parse(line ?? '[]') as readonly Fate[]
}

/** Sends raw frames out of `eth0`, as they are, in order. See `frames.ts`. */
export async function sendFrames(
  from: TrafficNode,
  frames: readonly Uint8Array[],
  link = 'eth0',
): Promise<void> {
  await runToEnd(from, 'send', { link, frames: frames.map((frame) => Buffer.from(frame).toString('hex')) })
}

/** Something that goes on in a node until it is stopped. It ends with this process in any case. */
interface Ongoing {
  readonly stop: () => Promise<void>
}

/** Answers with an echo on these ports, IPv4 and IPv6, at every address of the node. */
export async function serve(
  node: TrafficNode,
  ports: { readonly tcp?: readonly number[]; readonly udp?: readonly number[] },
): Promise<Ongoing> {
  const child = start(node, 'serve', { tcp: ports.tcp ?? [], udp: ports.udp ?? [] })
  const lines = readLines(child, () => {})
  await lines.ready
  return { stop: lines.stop }
}

/** A conversation in small messages, one in flight, a server of `serve` at its other end. */
export interface Stream extends Ongoing {
  /** Messages whose echo has come. */
  messageCount(): number
  /** When the last echo came, on the clock of `performance.now()`. */
  lastPassedMs(): number
  /** Has the connection ended, by reset or otherwise? Never for UDP. */
  closed(): boolean
}

/** Starts one; ready when its first echo has come. Throws when none comes within 5 s. */
export async function startStream(
  from: TrafficNode,
  to: string,
  port: number,
  options: {
    readonly kind?: 'tcp' | 'udp'
    readonly sourceAddress?: string
    readonly intervalSeconds?: number
  } = {},
): Promise<Stream> {
  let count = 0
  let lastMs = 0
  let ended = false
  const child = start(from, 'stream', { kind: 'tcp', intervalSeconds: 0.05, ...options, to, port })
  const lines = readLines(child, (line) => {
    if (line === 'closed') {
      ended = true
      return
    }
    count++
    lastMs = performance.now()
  })
  await lines.ready
  if (ended) throw new Error(`${from.name}: no stream to ${to} port ${port}: the connection was not made`)
  return { stop: lines.stop, messageCount: () => count, lastPassedMs: () => lastMs, closed: () => ended }
}

/** A frame as it came in, at most its first 512 bytes. */
export interface CapturedFrame {
  readonly destination: string
  readonly source: string
  /** The outer one: 0x8100 when there is a tag. */
  readonly etherType: number
  readonly bytes: Uint8Array
}

export interface Capture extends Ongoing {
  /** What has come in since the start, in order. Complete after `stop`. */
  frames(): readonly CapturedFrame[]
}

/** Records what arrives at a node's `eth0`, whoever it is for; what the node sends is left out. */
export async function startCapture(node: TrafficNode, link = 'eth0'): Promise<Capture> {
  const frames: CapturedFrame[] = []
  const lines = readLines(start(node, 'capture', { link }), (line) => {
    if (line !== 'ready') frames.push(readFrame(Buffer.from(line, 'hex')))
  })
  await lines.ready
  return { stop: lines.stop, frames: () => frames }
}

/** Unicast frames for somebody else: what a switch must not show to a guest. */
export function strayFrames(frames: readonly CapturedFrame[], ownMac: string): readonly CapturedFrame[] {
  return frames.filter(
    ({ destination }) => destination !== ownMac && (Number.parseInt(destination.slice(0, 2), 16) & 1) === 0,
  )
}

function readFrame(bytes: Buffer): CapturedFrame {
  const mac = (offset: number) => (bytes.toString('hex', offset, offset + 6).match(/../g) ?? []).join(':')
  return { destination: mac(0), source: mac(6), etherType: bytes.readUInt16BE(12), bytes }
}

function start(node: TrafficNode, task: string, input: unknown): ChildProcessWithoutNullStreams {
  // The system's own Python, alone: a user's may start slowly and bring modules of its own.
  const [file = '', ...args] = node.namespace.enter(['/usr/bin/python3', '-I', '-S', probeFile, task])
  const child = spawn(file, args)
  child.stdin.on('error', () => {})
  child.stdin.write(`${JSON.stringify(input)}\n`)
  return child
}

const probeFile = fileURLToPath(new URL('./probe.py', import.meta.url))

async function runToEnd(node: TrafficNode, task: string, input: unknown): Promise<readonly string[]> {
  const found: string[] = []
  const lines = readLines(start(node, task, input), (line) => void found.push(line))
  await lines.stop()
  return found
}

interface Lines {
  /** At the first line, or at the end when there is none. */
  readonly ready: Promise<void>
  /** Closes stdin and waits for the end, at most 30 s. Throws when the process failed. */
  readonly stop: () => Promise<void>
}

function readLines(child: ChildProcessWithoutNullStreams, onLine: (line: string) => void): Lines {
  const errors: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => void errors.push(chunk))
  const reader = createInterface({ input: child.stdout })
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      // Ended with its namespace: the lab was stopped first.
      if (code === 0 || signal !== null) resolve()
      else reject(new Error(`probe.py: exit ${code}: ${Buffer.concat(errors).toString().trim()}`))
    })
  })
  const firstLine = new Promise<void>((resolve) => reader.once('line', () => resolve()))
  reader.on('line', onLine)
  const ready = Promise.race([firstLine, ended])
  return {
    ready,
    stop: async () => {
      child.stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
      await ended.finally(() => clearTimeout(timer))
    },
  }
}

function first(fates: readonly Fate[]): Fate {
  const [fate] = fates
  if (fate === undefined) throw new Error('probe.py gave no answer')
  return fate
}
