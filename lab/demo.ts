import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { styleText } from 'node:util'
import { type Fleet, type Run, startFleet } from './fleet.ts'
import { leaveRunning } from './leave-running.ts'
import { type Probe, type TrafficNode, probe, serve } from './traffic.ts'

/** How many lines of a report the demo shows; `--verbose` of the command itself shows all. */
const shownLines = 24

async function main(args: readonly string[]): Promise<void> {
  const unknown = args.find((arg) => arg !== '--keep')
  if (unknown !== undefined) throw new Error(`"${unknown}": the demo knows --keep only`)
  const startMs = performance.now()
  const fleet = await startFleet()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  say(
    `${fleet.lab.hosts.size} hypervisors (Open vSwitch and Linux bridges) and ${fleet.lab.guests.size} guests run in network namespaces, ` +
      `after ${seconds} s. Their firewalls are in inventory/ and policies/ of this repository.`,
  )
  try {
    await story(fleet)
  } catch (error) {
    fleet.stop()
    throw error
  }
  if (args.includes('--keep')) leaveRunning(fleet)
  else fleet.stop()
}

async function story(fleet: Fleet): Promise<void> {
  title('1. What does the repository say? No host is needed for this.')
  await show(fleet, [0], 'validate')

  title('2. What would change? Nothing is written.')
  await show(fleet, [2], 'plan')

  title(
    '3. Apply. Every host gets a snapshot and a dead-man’s switch first, and is confirmed over a new connection.',
  )
  await show(fleet, [0], 'apply', '--yes')

  title('4. Packets. What the policy allows passes; what it does not allow does not.')
  await packets(fleet)

  title('5. Somebody changes hosts by hand: a flow, a rule and a set member are gone.')
  damage(fleet)
  await show(fleet, [2], 'drift')
  say('Back to what Git says:')
  await show(fleet, [0], 'apply', '--yes')
  await show(fleet, [0], 'drift')

  title('6. A change after which the host cannot be reached: it goes back by itself.')
  await deadMansSwitch(fleet)

  title('7. A change of one line, and the way back to the snapshot before it.')
  fleet.commit('web servers may use the cache', [
    {
      file: 'policies/shop.yaml',
      from: 'allow: redis, from: group:app',
      to: 'allow: redis, from: [group:app, group:web]',
    },
  ])
  await show(fleet, [0], '--host', 'hv-fra-1', '--yes')
  await show(fleet, [0], 'rollback', '--host', 'hv-fra-1', '--yes')

  title('8. The end: every host holds what Git says.')
  await show(fleet, [0], 'apply', '--yes')
  await show(fleet, [0], 'drift')
}

/** Runs the command as a user would, shows its output, and insists on its exit code. */
async function show(
  fleet: Fleet,
  expectedCodes: readonly number[],
  ...args: readonly string[]
): Promise<Run> {
  console.log(styleText('bold', `$ reconcile ${args.join(' ')}`))
  const run = await fleet.reconcile(...args)
  const lines = run.stdout.trimEnd().split('\n')
  const shown =
    lines.length <= shownLines + 3
      ? lines
      : [
          ...lines.slice(0, shownLines - 6),
          `  … ${lines.length - shownLines + 1} more lines …`,
          ...lines.slice(-5),
        ]
  console.log(shown.map((line) => `  ${line}`).join('\n'))
  console.log(styleText('dim', `  exit code ${run.code}`))
  if (!expectedCodes.includes(run.code)) {
    console.log(run.stderr)
    throw new Error(
      `reconcile ${args.join(' ')}: exit code ${run.code} instead of ${expectedCodes.join(' or ')}`,
    )
  }
  return run
}

type Question = readonly [
  from: string,
  source: string | undefined,
  to: string,
  address: string,
  what: string,
  expected: 'passes' | 'does not',
]

const questions: readonly Question[] = [
  ['outside', '203.0.113.9', 'web-1', '10.0.0.11', 'tcp/443', 'passes'],
  ['outside', '2001:db8:ff::9', 'web-3', '2001:db8:0:10::13', 'tcp/443', 'passes'],
  ['outside', '203.0.113.9', 'web-1', '10.0.0.11', 'tcp/22', 'does not'],
  ['outside', '203.0.113.9', 'db-1', '10.0.0.31', 'tcp/5432', 'does not'],
  ['web-1', undefined, 'app-1', '10.0.0.21', 'tcp/8443', 'passes'],
  ['web-1', undefined, 'app-3', '2001:db8:0:10::23', 'tcp/9005', 'passes'],
  ['web-1', undefined, 'db-1', '10.0.0.31', 'tcp/5432', 'does not'],
  ['app-1', undefined, 'db-2', '10.0.0.32', 'tcp/5432', 'passes'],
  ['app-3', undefined, 'db-2', '10.0.0.32', 'tcp/5432', 'does not'],
  ['outside', '198.51.100.10', 'app-3', '10.0.0.23', 'tcp/8443', 'passes'],
  ['outside', '198.51.100.66', 'app-3', '10.0.0.23', 'tcp/8443', 'does not'],
  ['web-4', undefined, 'cache-1', '10.0.0.41', 'udp/8125', 'passes'],
  ['db-1', undefined, 'outside', '203.0.113.50', 'tcp/443', 'does not'],
]

async function packets(fleet: Fleet): Promise<void> {
  const nodes = new Map<string, TrafficNode>([...fleet.lab.guests, ['outside', fleet.lab.outside]])
  const nodeOf = (name: string) => nodes.get(name) ?? fail(`no node ${name}`)
  const portsOf = (name: string, kind: string) => [
    ...new Set(
      questions.flatMap(([, , to, , what]) =>
        to === name && what.startsWith(kind) ? [Number(what.split('/')[1])] : [],
      ),
    ),
  ]
  const servers = [...new Set(questions.map(([, , to]) => to))]
  const running = await Promise.all(
    servers.map((name) => serve(nodeOf(name), { tcp: portsOf(name, 'tcp'), udp: portsOf(name, 'udp') })),
  )
  try {
    for (const [from, source, to, address, what, expected] of questions) {
      const [kind, port] = what.split('/')
      const question: Probe = {
        kind: kind === 'tcp' ? 'tcp' : 'udp',
        to: address,
        port: Number(port),
        ...(source === undefined ? {} : { sourceAddress: source }),
      }
      const [fate] = await probe(nodeOf(from), [question])
      const passed = fate === 'passed'
      const right = passed === (expected === 'passes')
      const mark = right
        ? styleText('green', passed ? 'passes' : 'is dropped')
        : styleText('red', `WRONG: ${fate}`)
      console.log(
        `  ${`${from} ${source ?? ''}`.padEnd(24)} → ${`${to} ${address}`.padEnd(28)} ${what.padEnd(9)} ${mark}`,
      )
      if (!right) throw new Error('a packet did not do what the policy says')
    }
  } finally {
    await Promise.all(running.map((server) => server.stop()))
  }
}

/** One object of each kind, taken away with the host's own tools. */
function damage(fleet: Fleet): void {
  const ams = fleet.host('hv-ams-1')
  const flow = (ams.ovs?.ofctl(['dump-flows', 'br0', '--no-stats']).stdout ?? '')
    .split('\n')
    .find((line) => line.includes('tp_dst=443'))
  if (flow === undefined) throw new Error('hv-ams-1 has no flow for https')
  const match = flow
    .trim()
    .replace(/^cookie=[^,]*, /, '')
    .replace(/ actions=.*/, '')
  by('hv-ams-1', `ovs-ofctl del-flows --strict br0 ${match}`)
  ams.ovs?.ofctl(['--strict', 'del-flows', 'br0', match])

  const fra = fleet.host('hv-fra-1')
  by('hv-fra-1', 'iptables -D gw-i-tap103i0 (its rule for https)')
  const rules = fra
    .must(['iptables', '-S', 'gw-i-tap103i0'])
    .split('\n')
    .filter((line) => line.startsWith('-A'))
  const number = rules.findIndex((line) => line.includes('443')) + 1
  fra.must(['iptables', '-w', '-D', 'gw-i-tap103i0', `${number}`])

  const sets = fra.must(['ipset', 'save']).split('\n')
  const member =
    sets.find((line) => line.startsWith('add gw-4-') && line.includes('10.0.0.22'))?.split(' ') ?? []
  by('hv-fra-1', `ipset del ${member.slice(1).join(' ')}`)
  fra.must(['ipset', 'del', ...member.slice(1)])
}

/** The host loses its management link as soon as the change has begun: nobody can confirm it. */
async function deadMansSwitch(fleet: Fleet): Promise<void> {
  fleet.commit('web servers on another port', [
    {
      file: 'policies/shop.yaml',
      from: 'name: public, allow: [http, https]',
      to: 'name: public, allow: [https, tcp/8080]',
    },
  ])
  const host = fleet.host('hv-ams-1')
  // Flows of one priority come in no order.
  const flows = () =>
    (host.ovs?.ofctl(['dump-flows', 'br0', '--no-stats']).stdout ?? '').split('\n').sort().join('\n')
  const before = flows()
  say(
    'On hv-ams-1 the management link goes down while the change is under way; the confirm window is 5 seconds.',
  )
  const cut = whenArmed(join(host.stateDirectory, 'tx'), () =>
    host.must(['ip', 'link', 'set', 'mgmt0', 'down']),
  )
  const back = cut.then(async () => {
    await delay(1500)
    const changed = flows() !== before
    await delay(6500)
    const isBack = flows() === before
    say(
      `Its flows ${changed ? 'had been changed' : 'were NOT changed'}; after the window they ${isBack ? 'are what they were before' : 'are NOT what they were before'}.`,
    )
    host.must(['ip', 'link', 'set', 'mgmt0', 'up'])
  })
  await show(fleet, [5], 'apply', '--yes', '--host', 'hv-ams-1', '--confirm-window', '5', '--timeout', '3')
  await back
  if (flows() !== before) throw new Error('hv-ams-1 did not go back')
  fleet.commit('no, as before', [
    {
      file: 'policies/shop.yaml',
      from: 'name: public, allow: [https, tcp/8080]',
      to: 'name: public, allow: [http, https]',
    },
  ])
}

/** Calls `act` when a transaction is armed in `directory`, once; gives up after 20 s. */
async function whenArmed(directory: string, act: () => void): Promise<void> {
  const old = new Set(existsSync(directory) ? readdirSync(directory) : [])
  for (let tries = 0; tries < 2000; tries++) {
    const fresh = existsSync(directory) ? readdirSync(directory).filter((id) => !old.has(id)) : []
    if (fresh.some((id) => existsSync(join(directory, id, 'armed')))) return act()
    await delay(10)
  }
  throw new Error('no transaction was armed within 20 s')
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

function title(text: string): void {
  console.log(`\n${styleText(['bold', 'cyan'], text)}`)
}

function say(text: string): void {
  console.log(text)
}

function by(host: string, command: string): void {
  console.log(`  ${host}# ${command}`)
}

function fail(message: string): never {
  throw new Error(message)
}

// Last, since the tables above must be there.
await main(process.argv.slice(2))
