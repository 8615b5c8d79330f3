import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Frame, Tracking } from '../../../src/meaning/frame.ts'
import { compileNetfilter } from '../../../src/meaning/netfilter/netfilter.ts'
import type { End } from '../../../src/meaning/simulation.ts'
import { ruleset4, ruleset6 } from './random-rules.ts'
import { arpFrame, discoveryFrame, ipFrame, otherFrame, trackingOfStranger } from './shots.ts'
import { type Wire, createWire } from './wire.ts'

/** Comparisons made, and how many of them the simulator would not answer. */
const counted = { all: 0, unknown: 0 }

function kindOf(ends: readonly End[]): string {
  const [end] = ends
  return end === undefined
    ? 'none'
    : end.kind === 'unknown'
      ? `unknown: ${end.why}: ${end.by.line}`
      : end.kind
}

/** Where the simulator and the kernel differ; frames go from `tapa` to whatever port the kernel sends them. */
function disagreements(
  wire: Wire,
  frames: readonly Frame[],
  trackingOf: (frame: Frame) => Tracking = trackingOfStranger,
): readonly unknown[] {
  const netfilter = compileNetfilter(wire.capture())
  const shots = frames.map((frame, serial) => ({ from: 'tapa' as const, frame, serial: serial + 1 }))
  const arrived = wire.exchange(shots)
  return frames.flatMap((frame, index) => {
    const isGroup = Number.parseInt(frame.destinationMac.slice(0, 2), 16) % 2 === 1
    return (isGroup ? (['tapb', 'tapc'] as const) : (['tapb'] as const)).flatMap((outPort) => {
      const { ends, hops } = netfilter.simulateForward({
        inPort: 'tapa',
        outPort,
        bridge: 'vmbr0',
        frame,
        tracking: trackingOf(frame),
      })
      counted.all++
      const said = kindOf(ends)
      if (said.startsWith('unknown')) counted.unknown++
      const passed = arrived[index]?.includes(outPort) ?? false
      return !said.startsWith('unknown') && passed === (said === 'accept')
        ? []
        : [
            {
              outPort,
              passed,
              said,
              frame: JSON.stringify(frame),
              hops: hops.map(({ where, line }) => `${where}: ${line}`),
            },
          ]
    })
  })
}

function sample<T>(arbitrary: fc.Arbitrary<T>, seed: number, count: number): readonly T[] {
  return fc.sample(arbitrary, { seed, numRuns: count })
}

function load(
  wire: Wire,
  text: { readonly v4?: string; readonly v6?: string; readonly nft?: string; readonly sets?: string },
): void {
  wire.host.namespace.must(['nft', 'flush', 'ruleset'])
  const empty =
    '*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n*raw\n:PREROUTING ACCEPT\nCOMMIT\n*mangle\n:FORWARD ACCEPT\nCOMMIT\n'
  for (const [tool, rules] of [
    ['iptables', text.v4],
    ['ip6tables', text.v6],
  ] as const)
    wire.host.must([`${tool}-restore`], rules ?? empty)
  if (text.nft !== undefined) wire.host.namespace.must(['nft', '-f', '-'], text.nft)
}

describe.each(['nft', 'legacy'] as const)(
  'what the simulator says, the kernel does, with iptables %s',
  (backend) => {
    let wire: Wire
    beforeAll(() => {
      wire = createWire(backend)
      wire.host.must(['ipset', 'restore'], sets)
    })
    afterAll(() => wire.delete())

    test.each([1, 2, 3, 4, 5, 6])('of random rules without conntrack (%i)', (seed) => {
      load(wire, {
        v4: sample(ruleset4(false), seed, 1)[0] ?? '',
        v6: sample(ruleset6(false), seed, 1)[0] ?? '',
      })
      expect(disagreements(wire, sample(ipFrame({ hasFragments: true, hasFlags: true }), seed, 120))).toEqual(
        [],
      )
    })
  },
)

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
