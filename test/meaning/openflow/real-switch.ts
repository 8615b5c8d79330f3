import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNamespace } from '../../../lab/namespace.ts'
import { startOpenVSwitch } from '../../../lab/openvswitch.ts'
import type { Capture } from '../../../src/meaning/capture.ts'

/** A real Open vSwitch with a bridge `br0`, in a namespace of its own. */
export interface RealSwitch {
  /** Replaces all flows by those of `flows` that the tool does not refuse, and gives these back. */
  setFlows(flows: readonly string[], version?: string): readonly string[]
  /** What the simulator is told. `--no-names` is left out on wish, and so is `--no-stats`. */
  capture(options?: { readonly version?: string; readonly options?: readonly string[] }): Capture
  /** ovs-appctl(8), by its socket, since starting the tool takes longer than what it asks for. */
  appctl(method: string, ...parameters: readonly string[]): Promise<string>
  ofctl(
    args: readonly string[],
    stdin?: string,
  ): { readonly code: number; readonly stdout: string; readonly stderr: string }
  stop(): void
}

/** Starts it with internal ports of those names, numbered from 1. */
export function startRealSwitch(ports: readonly string[]): RealSwitch {
  const namespace = createNamespace(`gwsim${process.pid}`)
  const directory = mkdtempSync(join(tmpdir(), `gwsim-${process.pid}-`))
  const daemon = startOpenVSwitch(namespace, directory)
  daemon.vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev', 'fail_mode=secure')
  daemon.vsctl(
    ...ports.flatMap((port, index) => [
      ...(index === 0 ? [] : ['--']),
      ...[
        'add-port',
        'br0',
        port,
        '--',
        'set',
        'interface',
        port,
        'type=internal',
        `ofport_request=${index + 1}`,
      ],
    ]),
  )
  const ofctl = (args: readonly string[], stdin?: string) =>
    namespace.run(['env', `OVS_RUNDIR=${directory}`, 'ovs-ofctl', ...args], stdin)
  /** The switch itself refused one, and does not say which. */
  const addOneByOne = (flows: readonly string[], version: string) => {
    ofctl(['-O', version, 'del-flows', 'br0'])
    return flows.filter((flow) => ofctl(['-O', version, 'add-flow', 'br0', flow]).code === 0)
  }
  const pid = readFileSync(join(directory, 'ovs-vswitchd.pid'), 'utf8').trim()
  const numbers = new Map([
    ...ports.map((port, index): [string, number] => [port, index + 1]),
    ['br0', 65534],
  ])
  return {
    setFlows(flows, version = 'OpenFlow14') {
      let rest = flows
      for (let tries = 0; tries <= flows.length; tries++) {
        const lines = rest.map((flow) => `${flow}\n`).join('')
        const result = ofctl(['-O', version, 'replace-flows', 'br0', '-'], lines)
        if (result.code === 0) return rest
        const refused = Number(/^ovs-ofctl: -:(\d+):/m.exec(result.stderr)?.[1])
        if (!(refused >= 1)) return addOneByOne(rest, version)
        rest = rest.filter((_, index) => index !== refused - 1)
      }
      throw new Error('the switch takes no flow')
    },
    capture({ version = 'OpenFlow14', options = ['--no-names'] } = {}) {
      const dump = ofctl(['-O', version, ...options, 'dump-flows', 'br0'])
      if (dump.code !== 0) throw new Error(dump.stderr)
      return {
        flows: new Map([['br0', dump.stdout]]),
        ports: new Map([...numbers].map(([name, ofport]) => [name, { bridge: 'br0', ofport }])),
        iptables: '',
        ip6tables: '',
        ipset: '',
        nft: '',
      }
    },
    appctl: (method, ...parameters) => call(join(directory, `ovs-vswitchd.${pid}.ctl`), method, parameters),
    ofctl,
    stop() {
      daemon.stop()
      namespace.delete()
      rmSync(directory, { recursive: true })
    },
  }
}

/** One JSON-RPC call of ovs-vswitchd's management socket. */
function call(path: string, method: string, params: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(path, () => socket.write(JSON.stringify({ id: 0, method, params })))
    socket.setTimeout(10_000, () => socket.destroy(new Error('ovs-vswitchd does not answer')))
    socket.on('error', reject)
    socket.on('data', (data) => {
      text += data.toString()
      const reply = parseReply(text)
      if (reply === undefined) return
      socket.end()
      if (reply.error === null) resolve(reply.result ?? '')
      else reject(new Error(reply.error))
    })
  })
}

function parseReply(
  text: string,
): { readonly result: string | null; readonly error: string | null } | undefined {
  try {
    return JSON.parse(text) as { result: string | null; error: string | null }
  } catch {
    return undefined
  }
}
