import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  arp,
  broadcastMac,
  ethernet,
  neighbourAdvertisement,
  tagged,
  tcpPacket,
  udpPacket,
} from '../../lab/frames.ts'
import { type Lab, type LabGuest, startLab } from '../../lab/lab.ts'
import type { LabHost } from '../../lab/host.ts'
import { createNamespace } from '../../lab/namespace.ts'
import {
  type Probe,
  ping,
  probe,
  sendFrames,
  serve,
  startCapture,
  startStream,
  strayFrames,
  tcp,
  udp,
} from '../../lab/traffic.ts'
import { smallPlan } from './small-plan.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const internet = { v4: '203.0.113.9', v6: '2001:db8:ff::9' }

let lab: Lab

beforeAll(async () => {
  lab = await startLab(smallPlan)
})
afterAll(() => lab.stop())

describe('a host of the lab', () => {
  test('is reached by ssh, by name and by address, with its key known', () => {
    expect(ssh('hv-1', 'hostname')).toMatchObject({ code: 0, stdout: 'hv-1\n' })
    expect(ssh('192.0.2.12', 'hostname')).toMatchObject({ code: 0, stdout: 'hv-2\n' })
  })

  test('shows its own Open vSwitch to the tools, and none where there is none', () => {
    expect(
      ssh(
        'hv-1',
        'ovs-vsctl list-br; ovs-ofctl -O OpenFlow14 show br0 | grep -o tap111i0; ovs-appctl version >&2',
      ),
    ).toMatchObject({
      code: 0,
      stdout: 'br0\ntap111i0\n',
    })
    expect(ssh('hv-2', 'ovs-vsctl list-br').code).not.toBe(0)
  })

  test('has its own iptables rules, sets, links and files', () => {
    expect(
      ssh(
        'hv-1',
        'iptables -A INPUT -s 198.51.100.1 && ipset create only-here hash:net && mkdir /var/lib/gitwall && touch /run/x /tmp/x /root/x',
      ).stderr,
    ).toBe('')
    const look =
      'iptables -S INPUT | tail -n 1; ipset list -n; ls /var/lib/gitwall /run/x /tmp/x /root/x 2>/dev/null; ls /sys/class/net | grep tap'
    expect(ssh('hv-1', look).stdout).toBe(
      '-A INPUT -s 198.51.100.1/32\nonly-here\n/root/x\n/run/x\n/tmp/x\n\n/var/lib/gitwall:\ntap111i0\ntap112i0\n',
    )
    expect(ssh('hv-2', look).stdout).toBe('-P INPUT ACCEPT\ntap113i0\n')
    expect(existsSync(hostNamed('hv-1').stateDirectory)).toBe(true)
    ssh('hv-1', 'iptables -F INPUT; ipset destroy only-here')
  })

  test('has the iptables of the plan, and lacks the tools that the plan leaves out', () => {
    expect(ssh('hv-1', 'iptables --version; ip6tables-save --version').stdout).toBe(
      'iptables v1.8.9 (nf_tables)\nip6tables-save v1.8.9 (nf_tables)\n'.replaceAll(
        '1.8.9',
        iptablesVersion(),
      ),
    )
    expect(ssh('hv-2', 'iptables --version; ip6tables-save --version').stdout).toBe(
      'iptables v1.8.9 (legacy)\nip6tables-save v1.8.9 (legacy)\n'.replaceAll('1.8.9', iptablesVersion()),
    )
    expect(ssh('hv-1', 'command -v conntrack').stdout).toBe('/usr/sbin/conntrack\n')
    expect(ssh('hv-2', 'command -v conntrack || conntrack --version')).toMatchObject({
      code: 127,
      stdout: '',
    })
  })

  test('answers again after its sshd was stopped and started', () => {
    const host = hostNamed('hv-2')
    host.stopSsh()
    expect(ssh('hv-2', 'true').stderr).toContain('Connection refused')
    host.startSsh()
    expect(ssh('hv-2', 'true').code).toBe(0)
  })
})

describe('packets of the lab', () => {
  beforeAll(async () => {
    const ports = { tcp: [80, 443], udp: [53] }
    await Promise.all(
      [guest('b'), guest('c'), lab.outside, ...lab.hosts.values()].map((node) => serve(node, ports)),
    )
  })

  test('do not pass a secure Open vSwitch bridge that has no flows', async () => {
    forward('')
    expect(await probe(guest('a'), everyProtocol('10.0.0.12', '2001:db8:0:10::13'))).toEqual(
      Array(6).fill('silent'),
    )
  })

  test.each([
    ['another guest of its host', '10.0.0.12', '2001:db8:0:10::12'],
    ['a guest of another host', '10.0.0.13', '2001:db8:0:10::13'],
    ['its own hypervisor', '10.0.0.211', '2001:db8:0:10::211'],
    ['another hypervisor', '10.0.0.212', '2001:db8:0:10::212'],
    ['its gateway', '10.0.0.1', '2001:db8:0:10::1'],
    ['the internet', internet.v4, internet.v6],
  ])('pass from a guest to %s once the switch forwards', async (_, v4, v6) => {
    forward('NORMAL')
    expect(await probe(guest('a'), everyProtocol(v4, v6))).toEqual(Array(6).fill('passed'))
  })

  test.each(['203.0.113.9', '203.0.113.50', '198.51.100.10', '198.51.100.66', '2001:db8:ff::9'])(
    'pass from %s to a guest, which sees that source',
    async (sourceAddress) => {
      forward('NORMAL')
      const capture = await startCapture(guest('b'))
      const to = sourceAddress.includes(':') ? '2001:db8:0:10::12' : '10.0.0.12'
      expect(await tcp(lab.outside, to, 443, { sourceAddress })).toBe('passed')
      expect(await udp(lab.outside, to, 53, { sourceAddress })).toBe('passed')
      expect(await ping(lab.outside, to, { sourceAddress })).toBe('passed')
      await capture.stop()
      const packets = capture.frames().filter((frame) => [0x0800, 0x86dd].includes(frame.etherType))
      expect(packets.some((frame) => sourceOf(frame.bytes) === sourceAddress)).toBe(true)
    },
  )

  test('tell a refusal from silence, and a refusal from a neighbour that is not there', async () => {
    forward('NORMAL')
    const reject = (tool: string, ...rule: readonly string[]) =>
      guest('c').namespace.must([tool, '-I', 'INPUT', ...rule])
    onTestFinished(() =>
      ['iptables', 'ip6tables'].forEach((tool) => guest('c').namespace.must([tool, '-F', 'INPUT'])),
    )
    reject(
      'iptables',
      '-p',
      'tcp',
      '--dport',
      '443',
      '-j',
      'REJECT',
      '--reject-with',
      'icmp-admin-prohibited',
    )
    reject('iptables', '-p', 'udp', '-j', 'DROP')
    reject('iptables', '-p', 'icmp', '-j', 'REJECT')
    reject('ip6tables', '-p', 'tcp', '-j', 'REJECT', '--reject-with', 'icmp6-adm-prohibited')
    const at = { v4: '10.0.0.13', v6: '2001:db8:0:10::13' }
    const probes: readonly Probe[] = [
      { kind: 'tcp', to: at.v4, port: 443 },
      { kind: 'tcp', to: at.v4, port: 81 },
      { kind: 'tcp', to: at.v4, port: 80 },
      { kind: 'udp', to: at.v4, port: 53 },
      { kind: 'udp', to: at.v6, port: 54 },
      { kind: 'ping', to: at.v4 },
      { kind: 'tcp', to: at.v6, port: 443 },
      { kind: 'tcp', to: '10.0.0.99', port: 80 },
      { kind: 'ping', to: '2001:db8:0:10::99' },
    ]
    expect(await probe(guest('a'), probes)).toEqual(
      'refused refused passed silent refused refused refused silent silent'.split(' '),
    )
  })

  test('keep a stream going until nothing passes, and it says since when', async () => {
    forward('NORMAL')
    const stream = await startStream(guest('a'), '10.0.0.13', 80)
    onTestFinished(() => stream.stop())
    await expect.poll(() => stream.messageCount(), { interval: 20 }).toBeGreaterThan(3)
    forward('')
    const cutMs = performance.now()
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(stream.lastPassedMs()).toBeLessThan(cutMs + 50)
    forward('NORMAL')
    await expect.poll(() => stream.lastPassedMs(), { timeout: 5000 }).toBeGreaterThan(cutMs + 300)
    expect(stream.closed()).toBe(false)
  })

  test('can be forged, and are seen by the guest they reach and by no other', async () => {
    forward('NORMAL')
    const a = guest('a')
    const b = guest('b')
    // The switch must know where b is, else it floods.
    expect(await ping(b, '10.0.0.1')).toBe('passed')
    const [captureB, captureC] = await Promise.all([startCapture(b), startCapture(guest('c'))])
    const toB = { sourceMac: '52:54:00:00:66:66', destinationMac: b.mac }
    const v4 = { ...toB, source: '10.0.0.66', destination: '10.0.0.12' }
    const v6 = { ...toB, source: '2001:db8:0:10::66', destination: '2001:db8:0:10::12' }
    const forged = [
      arp({
        ...toB,
        operation: 2,
        senderMac: a.mac,
        senderAddress: '10.0.0.1',
        targetMac: b.mac,
        targetAddress: '10.0.0.12',
      }),
      udpPacket({ ...v4, sourcePort: 1, destinationPort: 53 }),
      udpPacket({ ...v6, sourcePort: 1, destinationPort: 53 }),
      tcpPacket({ ...v6, sourcePort: 1, destinationPort: 443 }),
      neighbourAdvertisement({ ...v6, target: '2001:db8:0:10::1', targetMac: a.mac }),
      tagged(ethernet(toB, 0x88b5, Buffer.alloc(46)), 10),
    ]
    await sendFrames(a, forged)
    const arrived = () => captureB.frames().filter((frame) => frame.source === toB.sourceMac)
    await expect.poll(() => arrived().length).toBe(forged.length)
    await Promise.all([captureB.stop(), captureC.stop()])
    // A switch that meets several new flows at once may put them out in another order.
    const texts = (frames: readonly Uint8Array[]) =>
      frames.map((frame) => Buffer.from(frame).toString('hex')).sort()
    expect(texts(arrived().map((frame) => frame.bytes))).toEqual(texts(forged))
    expect(captureC.frames().filter((frame) => frame.source === toB.sourceMac)).toEqual([])
  })

  test('with right checksums are answered although they are forged', async () => {
    forward('NORMAL')
    const a = guest('a')
    const b = guest('b')
    const ends = { sourceMac: a.mac, destinationMac: b.mac }
    const v4 = { ...ends, source: '10.0.0.11', destination: '10.0.0.12' }
    const v6 = { ...ends, source: '2001:db8:0:10::11', destination: '2001:db8:0:10::12' }
    const capture = await startCapture(a)
    await sendFrames(a, [
      udpPacket({ ...v4, sourcePort: 4001, destinationPort: 53 }),
      udpPacket({ ...v6, sourcePort: 4001, destinationPort: 53 }),
      tcpPacket({ ...v4, sourcePort: 4002, destinationPort: 80 }),
      tcpPacket({ ...v6, sourcePort: 4002, destinationPort: 80 }),
    ])
    const answered = (etherType: number, protocol: number, port: number) =>
      capture.frames().some(({ etherType: type, bytes }) => {
        const start = type === 0x0800 ? 34 : 54
        return (
          type === etherType &&
          protocolOf(bytes) === protocol &&
          Buffer.from(bytes).readUInt16BE(start + 2) === port
        )
      })
    await expect.poll(() => answered(0x0800, 17, 4001) && answered(0x86dd, 17, 4001)).toBe(true)
    await expect.poll(() => answered(0x0800, 6, 4002) && answered(0x86dd, 6, 4002)).toBe(true)
    await capture.stop()
  })

  test('flooded by the switch are counted as stray where they do not belong', async () => {
    forward('flood')
    const capture = await startCapture(guest('b'))
    const toC = { sourceMac: guest('a').mac, destinationMac: guest('c').mac }
    const toAll = { ...toC, destinationMac: broadcastMac }
    await sendFrames(
      guest('a'),
      [toC, toAll, toC].map((ends) => ethernet(ends, 0x88b5, Buffer.alloc(46))),
    )
    const ofTest = () => capture.frames().filter((frame) => frame.etherType === 0x88b5)
    await expect.poll(() => ofTest().length).toBe(3)
    await capture.stop()
    expect(strayFrames(ofTest(), guest('b').mac)).toHaveLength(2)
  })
})

describe('the machine', () => {
  test('holds two labs side by side, and a stopped one leaves nothing', async () => {
    const other = await labProcess()
    const traces = tracesOf(other.prefix)
    expect(traces.namespaces).toHaveLength(7)
    expect(traces.processes().length).toBeGreaterThan(5)
    expect(ssh('hv-1', 'hostname').stdout).toBe('hv-1\n')

    other.child.stdin.end()
    await other.ended
    expect(leftOf(traces)).toEqual({ namespaces: [], processes: [], mounts: [], directory: false })
    expect(other.controller.run(['ip', '-br', 'link']).stdout.trim().split('\n')).toHaveLength(1)
    expect(ssh('hv-2', 'hostname').stdout).toBe('hv-2\n')
  })

  test('is cleaned of a lab whose process was killed, by the next clean-up of stale ones', async () => {
    const other = await labProcess()
    const traces = tracesOf(other.prefix)
    other.child.kill('SIGKILL')
    await other.ended
    expect(leftOf(traces).processes).not.toEqual([])
    cleanup('--stale')
    expect(leftOf(traces)).toEqual({ namespaces: [], processes: [], mounts: [], directory: false })
    expect(ssh('hv-1', 'hostname').stdout).toBe('hv-1\n')
  })

  test('gets no lab outside of a namespace that was made for one', () => {
    const { status, stderr } = spawnSync('unshare', ['--net', ...labCommand], {
      cwd: root,
      encoding: 'utf8',
      timeout: 30_000,
    })
    expect(status).toBe(1)
    expect(stderr).toContain('run `npm test` or `npm run demo`')
  })

  test('gets no second lab in one namespace, and nothing of a start that failed', async () => {
    await expect(startLab(smallPlan)).rejects.toThrow('another lab runs in this network namespace')

    const controller = freshController()
    const [hv1] = smallPlan.hosts
    const broken = JSON.stringify({
      ...smallPlan,
      prefix: `gwbroken${process.pid}`,
      hosts: [
        hv1,
        { ...smallPlan.hosts[1], bridges: [{ ...smallPlan.hosts[1]?.bridges[0], gateways: ['10.9.9.9'] }] },
      ],
    })
    const program = `const { startLab } = await import('${root}lab/lab.ts'); await startLab(${broken})`
    const [file = '', ...args] = controller.enter([
      process.execPath,
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      program,
    ])
    const { status, stderr } = spawnSync(file, args, { cwd: root, encoding: 'utf8', timeout: 30_000 })
    expect(status).toBe(1)
    expect(stderr).toContain('Nexthop has invalid gateway')
    expect(existsSync(`/run/gitwall-lab/gwbroken${process.pid}`)).toBe(false)
    expect(namespacesOf(`gwbroken${process.pid}`)).toEqual([])
  })
})

// -- what is asked ---------------------------------------------------------------------------------------------------

function everyProtocol(v4: string, v6: string): readonly Probe[] {
  return [v4, v6].flatMap((to): readonly Probe[] => [
    { kind: 'tcp', to, port: 443 },
    { kind: 'udp', to, port: 53 },
    { kind: 'ping', to },
  ])
}

/** Sets what the Open vSwitch host does with every frame. Without actions there is no flow at all. */
function forward(actions: string): void {
  const ovs = hostNamed('hv-1').ovs
  ovs?.ofctl(['del-flows', 'br0'])
  if (actions === '') return
  const added = ovs?.ofctl(['add-flow', 'br0', `actions=${actions}`])
  if (added?.code !== 0) throw new Error(added?.stderr)
}

function ssh(host: string, command: string) {
  const { status, stdout, stderr } = spawnSync('ssh', ['-F', lab.sshConfigFile, host, command], {
    encoding: 'utf8',
    timeout: 20_000,
  })
  return { code: status, stdout, stderr }
}

function iptablesVersion(): string {
  return /v([\d.]+)/.exec(spawnSync('iptables', ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? ''
}

function hostNamed(name: string): LabHost {
  const host = lab.hosts.get(name)
  if (host === undefined) throw new Error(name)
  return host
}

function guest(name: string): LabGuest {
  const found = lab.guests.get(name)
  if (found === undefined) throw new Error(name)
  return found
}

function sourceOf(frame: Uint8Array): string {
  const bytes = Buffer.from(frame)
  if (bytes.readUInt16BE(12) === 0x0800) return [...bytes.subarray(26, 30)].join('.')
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(22 + 2 * index).toString(16))
  return groups.join(':').replace(/:0(:0)+:/, '::')
}

function protocolOf(frame: Uint8Array): number | undefined {
  return Buffer.from(frame).readUInt16BE(12) === 0x0800 ? frame[23] : frame[20]
}

// -- other labs ------------------------------------------------------------------------------------------------------

const labProgram = fileURLToPath(new URL('./lab-process.ts', import.meta.url))
const labCommand = [process.execPath, '--import', 'tsx', labProgram]

let controllers = 0

function freshController() {
  const controller = createNamespace(`gwtest${process.pid}c${controllers++}`)
  onTestFinished(() => controller.delete())
  return controller
}

/** A lab of another process, in a controller namespace of its own, once it runs. */
async function labProcess() {
  const controller = freshController()
  const [file = '', ...args] = controller.enter(labCommand)
  const child: ChildProcessWithoutNullStreams = spawn(file, args, { cwd: root })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'close')
  const first = await Promise.race([once(child.stdout, 'data'), ended.then(() => ['it ended'])])
  return { controller, child, ended, prefix: String(first[0]).trim() }
}

function cleanup(argument: string): void {
  expect(spawnSync(`${root}lab/cleanup`, [argument], { encoding: 'utf8' })).toMatchObject({
    status: 0,
    stderr: '',
  })
}

interface Traces {
  readonly prefix: string
  readonly namespaces: readonly string[]
  /** Ids of the processes in those namespaces, now. One that has ended but was not waited for is in none. */
  readonly processes: () => readonly string[]
}

function tracesOf(prefix: string): Traces {
  const namespaces = namespacesOf(prefix)
  const inodes = new Set(namespaces.map((name) => statSync(`/run/netns/${name}`).ino))
  return {
    prefix,
    namespaces,
    processes: () => processesWhere((pid) => inodes.has(statSync(`/proc/${pid}/ns/net`).ino)),
  }
}

function leftOf(traces: Traces) {
  return {
    namespaces: namespacesOf(traces.prefix),
    processes: traces.processes(),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(traces.prefix)),
    directory: existsSync(`/run/gitwall-lab/${traces.prefix}`),
  }
}

function namespacesOf(prefix: string): readonly string[] {
  return readdirSync('/run/netns').filter((name) => name.startsWith(`${prefix}-`))
}

function processesWhere(condition: (pid: string) => boolean): readonly string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && condition(name)
    } catch {
      return false
    }
  })
}
