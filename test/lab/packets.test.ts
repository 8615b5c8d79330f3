import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fate, type Probe, type TrafficNode, probe, serve } from '../../lab/traffic.ts'
import { judge } from '../../src/meaning/policy.ts'
import type { Model } from '../../src/model/model.ts'
import { type Address, familyOf, parseAddress } from '../../src/net/address.ts'
import type { ServiceMatch } from '../../src/repo/repo.ts'
import { type Fleet, startFleet } from '../../lab/fleet.ts'

/** One address of one node: where packets start and end. */
interface Place {
  readonly node: TrafficNode
  readonly address: Address
}

/** What is asked of every pair of places. */
type Question = { readonly kind: 'tcp' | 'udp'; readonly port: number } | { readonly kind: 'ping' }

let fleet: Fleet
const stops: (() => Promise<void>)[] = []

beforeAll(async () => {
  fleet = await startFleet()
  const run = await fleet.reconcile('apply', '--yes')
  expect(run.stderr + run.stdout, 'the demo policy must apply').not.toContain('refused')
  expect(run.code).toBe(0)
}, 120_000)

afterAll(async () => {
  await Promise.all(stops.map((stop) => stop()))
  fleet.stop()
})

/** Every port a rule of the fleet names at one of its ends, and one beside it that no rule names. */
function questionsOf(model: Model): readonly Question[] {
  const rulesets = model.hosts.flatMap((host) => [
    host.own.inbound,
    host.own.outbound,
    ...host.nics.flatMap((nic) => [nic.inbound, nic.outbound]),
  ])
  const services = rulesets.flatMap((ruleset) => ruleset.rules.flatMap((rule) => rule.services))
  const ports = (kind: 'tcp' | 'udp') => [
    ...new Set([...services.flatMap((service) => portsOf(service, kind)), kind === 'tcp' ? 4444 : 5555]),
  ]
  return [
    ...ports('tcp').map((port) => ({ kind: 'tcp' as const, port })),
    ...ports('udp').map((port) => ({ kind: 'udp' as const, port })),
    { kind: 'ping' },
  ]
}

function portsOf(service: ServiceMatch, kind: 'tcp' | 'udp'): readonly number[] {
  // Ports of built-in protocols such as DHCP are not asked: they have rules of their own.
  return service.protocol === kind
    ? service.ports.flatMap(({ first, last }) => [...new Set([first, last])])
    : []
}

/** The model knows a hypervisor by the address that we reach it by; here it is the one on its bridge. */
function withBridgeAddresses(model: Model, family: 4 | 6): Model {
  const addressOf = (name: string) =>
    addressesOf(fleet.host(name)).find((address) => familyOf(address) === family)
  const hosts = model.hosts.map((host) => {
    const address = addressOf(host.name)
    return address === undefined ? host : { ...host, connection: { ...host.connection, host: address } }
  })
  return { ...model, hosts }
}

function expected(model: Model, from: Place, to: Place, question: Question): 'allow' | 'deny' | 'reject' {
  const ends = { source: from.address, destination: to.address }
  const isIPv4 = familyOf(from.address) === 4
  switch (question.kind) {
    case 'ping':
      return judge(model, { ...ends, protocol: isIPv4 ? 1 : 58, icmpType: isIPv4 ? 8 : 128, icmpCode: 0 })
        .verdict
    case 'tcp':
    case 'udp':
      return judge(model, {
        ...ends,
        protocol: question.kind === 'tcp' ? 6 : 17,
        destinationPort: question.port,
      }).verdict
  }
}

test('for each pair of nodes and each service, what the policy allows passes and nothing else does', async () => {
  const { model } = await fleet.compiled()
  const questions = questionsOf(model)
  const models = { 4: withBridgeAddresses(model, 4), 6: withBridgeAddresses(model, 6) }
  const senders: readonly TrafficNode[] = [...fleet.lab.guests.values(), fleet.lab.outside]
  const nodes: readonly TrafficNode[] = [...senders, ...fleet.lab.hosts.values()]
  const placesOf = (node: TrafficNode) => addressesOf(node).map((address): Place => ({ node, address }))
  const places = nodes.flatMap(placesOf)
  const portsAsked = (kind: 'tcp' | 'udp') =>
    questions.flatMap((question) => (question.kind === kind ? [question.port] : []))
  // A hypervisor's own sshd has port 22 there, and echoes nothing.
  const isFree = (node: TrafficNode, port: number) => port !== 22 || senders.includes(node)
  for (const node of nodes) {
    const tcp = portsAsked('tcp').filter((port) => isFree(node, port))
    stops.push((await serve(node, { tcp, udp: portsAsked('udp') })).stop)
  }

  // Hypervisors are asked and do not ask: what a host itself sends to its guests on a Linux bridge passes no forwarding hook.
  const asked = senders.flatMap(placesOf).flatMap((from) =>
    places
      .filter((to) => to.node !== from.node && familyOf(to.address) === familyOf(from.address))
      .flatMap((to) => questions.map((question) => ({ from, to, question })))
      .filter(({ to, question }) => question.kind === 'ping' || isFree(to.node, question.port)),
  )
  const wrong: string[] = []
  const counts = { allow: 0, deny: 0 }
  for (const node of senders) {
    const mine = asked.filter((one) => one.from.node === node)
    const fates = await probe(
      node,
      mine.map(
        ({ from, to, question }): Probe => ({ ...question, to: to.address, sourceAddress: from.address }),
      ),
    )
    for (const [index, { from, to, question }] of mine.entries()) {
      const verdict = expected(models[familyOf(from.address)], from, to, question)
      const fate = fates[index] ?? 'silent'
      counts[verdict === 'allow' ? 'allow' : 'deny']++
      if (!agrees(verdict, fate))
        wrong.push(
          `${node.name} ${from.address} → ${to.node.name} ${to.address} ${JSON.stringify(question)}: ${verdict}, was ${fate}`,
        )
    }
  }
  console.log(
    `packets: ${asked.length} questions, ${counts.allow} to pass, ${counts.deny} not to; ${wrong.length} wrong`,
  )
  expect(wrong.slice(0, 20)).toEqual([])
  // A matrix in which everything passes, or nothing does, proves nothing.
  expect(Math.min(counts.allow, counts.deny)).toBeGreaterThan(50)
}, 300_000)

function agrees(verdict: 'allow' | 'deny' | 'reject', fate: Fate): boolean {
  return verdict === 'allow' ? fate === 'passed' : fate !== 'passed'
}

/** The outside node's gateway addresses are left out: neighbour discovery aside they are one of many. */
function addressesOf(node: TrafficNode & { readonly addresses?: readonly string[] }): readonly Address[] {
  return (node.addresses ?? []).flatMap((text) => {
    const address = parseAddress(text)
    return address === undefined ? [] : [address]
  })
}
