import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNamespace } from '../../../lab/namespace.ts'
import { startOpenVSwitch } from '../../../lab/openvswitch.ts'
import type { Change, State, Step } from '../../../src/kernel/backend.ts'
import { diffState } from '../../../src/kernel/diff.ts'
import { factsProbe, parseFacts } from '../../../src/kernel/facts-probe.ts'
import type { HostFacts } from '../../../src/kernel/facts.ts'
import { ovs } from '../../../src/kernel/ovs/backend.ts'

/** A real Open vSwitch in a namespace of its own, and what the product does with it, without SSH. */
export interface TestSwitch {
  /** What the product learns of it; read again after a change of ports. */
  facts(): HostFacts
  vsctl(...args: readonly string[]): string
  /** A tool as the product runs it: its code, stdout and stderr. */
  run(
    argv: readonly string[],
    stdin?: string,
  ): { readonly code: number; readonly stdout: string; readonly stderr: string }
  probe(): string
  live(facts: HostFacts): State
  /** Runs steps; throws when one of them fails or says anything on stderr, as the transaction does. */
  apply(steps: readonly Step[]): void
  /** Makes the live state `target` and gives back what that took. */
  moveTo(target: State, facts: HostFacts): readonly Change[]
  /**
   * Where a packet of ovs-ofctl's flow syntax goes when it enters `br0` at a port: names, LOCAL, ` tagged N` behind a name. Its
   * lookups in conntrack find `states`, in their order. See ovs-vswitchd(8), `ofproto/trace`.
   */
  receivers(port: string, packet: string, ...states: readonly string[]): readonly string[]
  /** The trace behind `receivers`, as the switch prints it. */
  trace(port: string, packet: string, ...states: readonly string[]): string
  appctl(...args: readonly string[]): string
  /** Flows of a bridge that are not ours, as the switch prints them, sorted. */
  foreign(bridge: string): readonly string[]
  stop(): void
}

/** Starts it with bridge `br0` and internal ports of those names. */
export function startSwitch(ports: readonly string[]): TestSwitch {
  const namespace = createNamespace(`gwovs${process.pid}`)
  const directory = mkdtempSync(join(tmpdir(), `gwovs-${process.pid}-`))
  const daemon = startOpenVSwitch(namespace, directory)
  const run = (argv: readonly string[], stdin?: string) =>
    namespace.run(['env', `OVS_RUNDIR=${directory}`, ...argv], stdin)
  const must = (argv: readonly string[]) => {
    const result = run(argv)
    if (result.code !== 0) throw new Error(`${argv.join(' ')}: ${result.code}: ${result.stderr}`)
    return result.stdout
  }
  daemon.vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev', 'fail_mode=secure')
  if (ports.length > 0) daemon.vsctl(...addPorts('br0', ports))
  let known: PortNumbers | undefined
  const numbers = () => (known ??= portNumbers(daemon.appctl('dpif/show')))
  const test: TestSwitch = {
    facts: () => parseFacts(must(['sh', '-c', factsProbe])),
    vsctl: (...args) => {
      known = undefined
      return daemon.vsctl(...args)
    },
    run,
    probe: () => must(['sh', '-c', ovs.probe]),
    live: (facts) => ovs.live(test.probe(), facts),
    apply(steps) {
      for (const { argv, stdin } of steps) {
        const result = run(argv, stdin)
        if (result.code !== 0 || result.stderr !== '') throw new Error(`${result.code}: ${result.stderr}`)
      }
    },
    moveTo(target, facts) {
      const changes = diffState(test.live(facts), target)
      test.apply(ovs.steps(changes, facts))
      return changes
    },
    receivers: (port, packet, ...states) =>
      receiversOf(test.trace(port, packet, ...states), numbers().nameByDatapathNumber),
    trace: (port, packet, ...states) => {
      const next = states.flatMap((state) => ['--ct-next', state])
      return daemon.appctl(
        'ofproto/trace',
        'br0',
        `in_port=${numbers().numberByName.get(port)},${packet}`,
        ...next,
      )
    },
    appctl: daemon.appctl,
    foreign: (bridge) =>
      must(['ovs-ofctl', '-O', 'OpenFlow15', '--no-names', '--no-stats', 'dump-flows', bridge])
        .split('\n')
        .filter((line) => line !== '' && !line.includes('cookie=0x6777'))
        .sort(),
    stop() {
      daemon.stop()
      namespace.delete()
      rmSync(directory, { recursive: true })
    },
  }
  return test
}

/** Words of ovs-vsctl that add internal ports: links that need nobody at the other end. */
export function addPorts(bridge: string, ports: readonly string[]): readonly string[] {
  return ports.flatMap((port, index) => [
    ...(index === 0 ? [] : ['--']),
    'add-port',
    bridge,
    port,
    '--',
    'set',
    'interface',
    port,
    'type=internal',
  ])
}

/** The two numbers that every port has, by what `receivers` calls it. */
interface PortNumbers {
  readonly numberByName: ReadonlyMap<string, string>
  readonly nameByDatapathNumber: ReadonlyMap<string, string>
}

/** Reads `    tap101i0 3/4: (tap)`: OpenFlow's number, then the datapath's. */
function portNumbers(shown: string): PortNumbers {
  const ports = [...shown.matchAll(/^ +(\S+) (\d+)\/(\d+):/gm)].map(
    ([, name = '', number = '', datapathNumber = '']) => ({
      name: name === 'br0' ? 'LOCAL' : name,
      number: name === 'br0' ? 'LOCAL' : number,
      datapathNumber,
    }),
  )
  return {
    numberByName: new Map(ports.map(({ name, number }) => [name, number])),
    nameByDatapathNumber: new Map(ports.map(({ name, datapathNumber }) => [datapathNumber, name])),
  }
}

/** Ports in the "Datapath actions" of a trace and of the recirculations in it. */
function receiversOf(trace: string, nameByNumber: ReadonlyMap<string, string>): readonly string[] {
  const found: string[] = []
  for (const [, actions = ''] of trace.matchAll(/^Datapath actions: (.*)$/gm)) {
    let tag = ''
    for (const [action, vlan] of actions.matchAll(/push_vlan\(vid=(\d+)[^)]*\)|\w+\([^)]*\)|\w+/g))
      if (vlan !== undefined) tag = ` tagged ${vlan}`
      else if (action === 'pop_vlan') tag = ''
      else if (/^\d+$/.test(action)) found.push(`${nameByNumber.get(action) ?? action}${tag}`)
  }
  return found.sort()
}
