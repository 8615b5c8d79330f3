import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ipset } from '../../../src/kernel/ipset/backend.ts'
import { iptables } from '../../../src/kernel/iptables/backend.ts'
import { nft } from '../../../src/kernel/nft/backend.ts'
import type { Frame } from '../../../src/meaning/frame.ts'
import type { Mac } from '../../../src/net/mac.ts'
import { compileSmall, hostOf } from '../../fixtures.ts'
import { noFacts } from '../../kernel/iptables/host.ts'
import { type Tally, disagreements, inputDisagreements, sample, withOwnPorts } from './compare.ts'
import { arpFrame, discoveryFrame, ipFrame, otherFrame } from './shots.ts'
import { type Wire, createWire, macs, own } from './wire.ts'

const inventory = `
all:
  children:
    hypervisors:
      hosts:
        hv-1: { ansible_host: ${own.v4}, gitwall: { bridges: { vmbr0: { datapath: linux, uplinks: [tapc] } } } }
    web:
      hosts:
        web-1: { gitwall: { host: hv-1, nics: [{ port: tapa, bridge: vmbr0, network: shop, mac: "${macs.tapa}", addresses: [10.0.0.11, "2001:db8::11"] }] } }
    db:
      hosts:
        db-1: { gitwall: { host: hv-1, nics: [{ port: tapb, bridge: vmbr0, network: shop, mac: "${macs.tapb}", addresses: [10.0.0.12, "2001:db8::12"] }] } }
  vars:
    gitwall_management: [192.0.2.0/24]
    gitwall_networks: { shop: { subnets: [10.0.0.0/24, "2001:db8::/64"], gateways: [10.0.0.1] } }
`

const policies = `
sets:
  office: { include: [10.0.0.0/23, 172.16.0.0/12, "2001:db8::/64"], exclude: [10.0.0.12, "2001:db8::12"] }
  some: [10.0.0.11, 192.168.5.6, "2001:db8:1::5", "2001:db8::11"]
firewalls:
  web:
    protects: web
    inbound:
      - { name: shop, allow: [tcp/80, tcp/443], from: any }
      - { name: not these, reject: [udp/53, tcp/53, udp/1000-1023], from: set:some }
      - { name: names, allow: [udp/53, tcp/1000-1023, tcp/22, tcp/8080, tcp/81], from: set:office }
      - { name: ping, allow: ping, from: any }
    outbound:
      - { name: db, allow: [tcp/80, tcp/443, udp/53, udp/1000-1024], to: group:db }
      - { name: no mail, deny: tcp/22, to: any }
      - { name: office, allow: any, to: set:office }
  db:
    protects: db
    inbound:
      - { name: web, allow: [tcp/80, udp/1000-1024], from: group:web }
      - { name: office, allow: tcp/443, from: set:office }
  hosts:
    protects: hypervisors
    inbound:
      - { name: web, allow: [tcp/80, udp/53, tcp/443], from: [group:web, set:some] }
      - { name: ping, allow: ping, from: any }
`

const tally: Tally = new Map()
const mayDoubt = /later fragment/

describe.each(['nft', 'legacy'] as const)(
  'of what we render the simulator says what the kernel does, with iptables %s',
  (backend) => {
    let wire: Wire
    beforeAll(() => {
      wire = createWire(backend)
      const host = hostOf(compileSmall(policies, inventory), 'hv-1')
      for (const kind of [ipset, nft, iptables]) wire.host.move(kind, kind.desired(host, noFacts))
    })
    afterAll(() => wire.delete())

    test('from a guest, whoever it claims to be', () => {
      const frames = fc.oneof({ weight: 6, arbitrary: ipFrame() }, arpFrame, discoveryFrame, otherFrame)
      expect(disagreements(wire, withOwnPorts(sample(frames, 5, 300)), { tally, mayDoubt })).toEqual([])
    })

    test('from a guest that tells the truth, to another and to the outside', () => {
      const frames = withOwnPorts(sample(ipFrame(), 6, 900)).filter(isHonest)
      expect(frames.length).toBeGreaterThan(80)
      expect(disagreements(wire, frames, { tally })).toEqual([])
    })

    test('from the outside to both guests', () => {
      const frames = withOwnPorts(sample(ipFrame(), 7, 250))
      const toWeb = frames.map((frame) => ({ ...frame, destinationMac: macs.tapa as Mac }))
      expect(disagreements(wire, [...frames, ...toWeb.slice(0, 120)], { from: 'tapc', tally })).toEqual([])
    })

    test('from a guest to the hypervisor', async () => {
      const frames = withOwnPorts(sample(ipFrame(), 8, 900))
        .filter(isHonest)
        .map(toHost)
      expect(await inputDisagreements(wire, frames, tally)).toEqual([])
    })
  },
)

test('all of these say yes and no often enough', () => {
  expect(tally.get('accept') ?? 0).toBeGreaterThan(200)
  expect(tally.get('drop') ?? 0).toBeGreaterThan(500)
  expect(tally.get('reject') ?? 0).toBeGreaterThan(2)
})

function isHonest(frame: Frame): boolean {
  const { payload } = frame
  return (
    payload.kind === 'ip' &&
    frame.sourceMac === macs.tapa &&
    ['10.0.0.11', '2001:db8::11', 'fe80::5054:ff:fe00:a'].includes(payload.ip.source)
  )
}

function toHost(frame: Frame): Frame {
  if (frame.payload.kind !== 'ip') return frame
  const { ip } = frame.payload
  const destination = (ip.source.includes(':') ? own.v6 : own.v4) as typeof ip.destination
  return { ...frame, destinationMac: own.mac as Mac, payload: { kind: 'ip', ip: { ...ip, destination } } }
}
