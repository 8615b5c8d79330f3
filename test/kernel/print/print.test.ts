import { afterAll, beforeAll, expect, test } from 'vitest'
import { createNamespace, type Namespace } from '../../../lab/namespace.ts'
import { captureOf } from '../../../src/capture.ts'
import { assumedFacts } from '../../../src/kernel/assumed-facts.ts'
import { ipset } from '../../../src/kernel/ipset/backend.ts'
import { iptables } from '../../../src/kernel/iptables/backend.ts'
import { nft } from '../../../src/kernel/nft/backend.ts'
import { ovs } from '../../../src/kernel/ovs/backend.ts'
import { parseDump } from '../../../src/kernel/ovs/dump.ts'
import { compileSmall, hostOf } from '../../fixtures.ts'

const { model } = {
  model: compileSmall(`
sets: { office: [203.0.113.0/24, 198.51.100.7, "2001:db8:ff::/48", "2001:db8:fe::1"] }
firewalls:
  web:
    protects: web
    inbound:
      - { name: public, allow: [http, tcp/8000-8010], from: any }
      - { name: ssh, allow: ssh, from: set:office }
    outbound: [{ name: all, allow: any, to: any }]
  hosts:
    protects: hypervisors
    inbound: [{ name: ssh, allow: ssh, from: set:office }]
`).model,
}
const hostNamed = (name: string) => hostOf({ model } as ReturnType<typeof compileSmall>, name)
let namespace: Namespace

beforeAll(() => {
  namespace = createNamespace(`gwc${process.pid}`)
})
afterAll(() => namespace.delete())

test('what we print of a desired state is what the tools take in and print again', () => {
  const host = hostNamed('hv-2')
  const facts = assumedFacts(host)
  const kinds = [ipset, iptables, nft]
  const state = new Map(kinds.map((kind) => [kind.name, kind.desired(host, facts)]))
  const capture = captureOf(state, facts)
  namespace.must(['ipset', 'restore'], capture.ipset)
  namespace.must(['iptables-restore'], capture.iptables)
  namespace.must(['ip6tables-restore'], capture.ip6tables)
  namespace.must(['nft', '-f', '-'], capture.nft)
  for (const kind of kinds) {
    const live = kind.live(namespace.must(['sh', '-c', kind.probe]), facts)
    expect(live.size).toBeGreaterThan(1)
    expect(live).toEqual(state.get(kind.name))
  }
})

test('printed flows read back as the state they are of', () => {
  const host = hostNamed('hv-1')
  const facts = assumedFacts(host)
  const desired = ovs.desired(host, facts)
  const { flows } = captureOf(new Map([['ovs', desired]]), facts)
  expect(parseDump(`bridge br0\n${flows.get('br0')}`, facts)).toEqual(desired)
})
