import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Frame, IpPacket } from '../../../src/meaning/frame.ts'
import type { Address } from '../../../src/net/address.ts'
import type { Mac } from '../../../src/net/mac.ts'
import {
  type Tally,
  disagreements,
  inputDisagreements,
  load,
  outputDisagreements,
  randomRules,
  sample,
  withOwnPorts,
} from './compare.ts'
import { ipFrame } from './shots.ts'
import { type Wire, createWire, macs, own } from './wire.ts'

const tally: Tally = new Map()

describe.each(['nft', 'legacy'] as const)(
  'the simulator says what the kernel does, with iptables %s',
  (backend) => {
    let wire: Wire
    beforeAll(() => {
      wire = createWire(backend)
      wire.host.must(['ipset', 'restore'], sets)
    })
    afterAll(() => wire.delete())

    test.each([1, 2])('of random rules without conntrack (%i)', (seed) => {
      load(wire, randomRules(seed, { hook: 'FORWARD', hasState: false }))
      const frames = sample(ipFrame({ hasFragments: true, hasFlags: true }), seed, 100)
      expect(disagreements(wire, frames, { tally })).toEqual([])
    })

    test.each([11])('of random rules with conntrack, for what is new (%i)', (seed) => {
      load(wire, randomRules(seed, { hook: 'FORWARD', hasState: true }))
      expect(disagreements(wire, withOwnPorts(sample(ipFrame(), seed, 100)), { tally })).toEqual([])
    })

    test.each([21])('of random rules with conntrack, for both sides of connections (%i)', (seed) => {
      load(wire, { v4: tracking, v6: tracking })
      const asked = withOwnPorts(sample(ipFrame(), seed, 300)).filter(isUdpBetweenStations)
      wire.exchange(asked.map((frame, index) => ({ from: 'tapa', frame, serial: index + 1 })))
      const answers = asked.map(answerTo)
      wire.exchange(answers.map((frame, index) => ({ from: 'tapb', frame, serial: 1000 + index })))
      load(wire, randomRules(seed, { hook: 'FORWARD', hasState: true }))
      expect(asked.length).toBeGreaterThan(20)
      expect(disagreements(wire, answers, { from: 'tapb', trackingOf: () => 'reply', tally })).toEqual([])
      expect(disagreements(wire, asked, { trackingOf: () => 'request', tally })).toEqual([])
    })

    test.each([31])('of random rules for what comes to the hypervisor (%i)', async (seed) => {
      load(wire, randomRules(seed, { hook: 'INPUT', hasState: true }))
      const frames = withOwnPorts(sample(ipFrame(), seed, 100)).map(toHost)
      expect(await inputDisagreements(wire, frames, tally)).toEqual([])
    })

    test.each([41])('of random rules for what the hypervisor sends (%i)', async (seed) => {
      load(wire, randomRules(seed, { hook: 'OUTPUT', hasState: true }))
      const frames = withOwnPorts(sample(ipFrame(), seed, 100))
        .filter(isNotSctp)
        .map(fromHost)
      expect(await outputDisagreements(wire, frames, tally)).toEqual([])
    })
  },
)

test('all of these say yes and no often enough', () => {
  for (const kind of ['accept', 'drop', 'reject'])
    expect(tally.get(kind) ?? 0).toBeGreaterThan(kind === 'reject' ? 10 : 200)
})

/** Makes the kernel track connections, and lets everything pass. */
const tracking = '*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m conntrack --ctstate NEW\nCOMMIT\n'

function isUdpBetweenStations(frame: Frame): boolean {
  return frame.payload.kind === 'ip' && frame.payload.ip.protocol === 17 && frame.destinationMac === macs.tapb
}

/** Its checksum is wrong here, which conntrack asks of what comes in only. */
function isNotSctp(frame: Frame): boolean {
  return frame.payload.kind !== 'ip' || frame.payload.ip.protocol !== 132
}

function withIp(frame: Frame, change: (ip: IpPacket) => Partial<IpPacket>, ends: Partial<Frame> = {}): Frame {
  if (frame.payload.kind !== 'ip') return frame
  const { ip } = frame.payload
  return { ...frame, ...ends, payload: { kind: 'ip', ip: { ...ip, ...change(ip) } } }
}

function answerTo(frame: Frame): Frame {
  const ends = { sourceMac: macs.tapb as Mac, destinationMac: macs.tapa as Mac }
  return withIp(frame, turned, ends)
}

function turned({ source, destination, ports }: IpPacket): Partial<IpPacket> {
  return {
    source: destination,
    destination: source,
    ...(ports === undefined ? {} : { ports: { source: ports.destination, destination: ports.source } }),
  }
}

function isV6(ip: IpPacket): boolean {
  return ip.source.includes(':')
}

/** From a neighbour: routing must not refuse the source. */
function toHost(frame: Frame): Frame {
  return withIp(
    frame,
    (ip) => ({
      source: (isV6(ip) ? '2001:db8::11' : '10.0.0.11') as Address,
      destination: (isV6(ip) ? own.v6 : own.v4) as Address,
    }),
    { destinationMac: own.mac as Mac },
  )
}

function fromHost(frame: Frame): Frame {
  return withIp(frame, (ip) => ({
    source: (isV6(ip) ? own.v6 : own.v4) as Address,
    destination: (isV6(ip) ? '2001:db8::11' : '10.0.0.11') as Address,
  }))
}

const sets = `create nets hash:net family inet
add nets 10.0.0.0/24
add nets 10.0.0.12 nomatch
add nets 172.16.0.0/12
create nets6 hash:net family inet6
add nets6 2001:db8::/64
add nets6 2001:db8::12 nomatch
create ips hash:ip family inet
add ips 10.0.0.11
add ips 192.168.5.6
create pairs hash:ip,port family inet
add pairs 10.0.0.11,tcp:80
add pairs 10.0.0.11,udp:53
add pairs 10.0.0.12,icmp:echo-request
add pairs 10.0.0.12,gre:0
create netports hash:net,port family inet
add netports 10.0.0.0/16,tcp:22
add netports 10.0.0.0/24,tcp:22 nomatch
add netports 10.0.1.0/24,udp:1000-1023
create netports6 hash:net,port family inet6
add netports6 2001:db8::/32,tcp:80
add netports6 2001:db8::/32,ipv6-icmp:echo-request
create numbers bitmap:port range 0-2000
add numbers 80-81
add numbers 1000
create field bitmap:ip range 10.0.0.0/24
add field 10.0.0.1-10.0.0.11
create wide hash:ip family inet netmask 24
add wide 10.0.1.0
create all list:set
add all ips
add all nets
`
