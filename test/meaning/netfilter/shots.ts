import fc from 'fast-check'
import type { Frame, IpPacket, Tracking } from '../../../src/meaning/frame.ts'
import type { Address } from '../../../src/net/address.ts'
import type { Mac } from '../../../src/net/mac.ts'
import { macs } from './wire.ts'

/** Few values, so that rules made of the same ones match some packets and not others. */
export const v4 = ['10.0.0.11', '10.0.0.12', '10.0.1.5', '10.0.0.1', '192.168.5.6', '172.16.0.9']
export const v6 = ['2001:db8::11', '2001:db8::12', '2001:db8:1::5', '2001:db8::1', 'fe80::5054:ff:fe00:a']
export const ports = [22, 53, 80, 81, 443, 1000, 1023, 1024, 8080]
export const foreignMac = '52:54:00:00:00:99'

const port = fc.constantFrom(...ports)
const transport = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      protocol: fc.constantFrom(6, 17),
      ports: fc.record({ source: port, destination: port }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      protocol: fc.constant(132),
      ports: fc.record({ source: port, destination: port }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ protocol: fc.constantFrom(47, 50, 112) }) },
)
const icmp4 = fc.record({
  protocol: fc.constant(1),
  icmp: fc.record({ type: fc.constantFrom(0, 3, 8, 11, 13), code: fc.constantFrom(0, 1, 3, 4) }),
})
const icmp6 = fc.record({
  protocol: fc.constant(58),
  icmp: fc.record({ type: fc.constantFrom(1, 2, 128, 129, 143), code: fc.constantFrom(0, 1, 4) }),
})

/** TCP flags only where a test says so: the kernel's conntrack has its own mind about odd ones. */
export interface PacketOptions {
  readonly hasFragments?: boolean
  readonly hasFlags?: boolean
}

function ipPacket(family: 4 | 6, options: PacketOptions): fc.Arbitrary<IpPacket> {
  const address = fc.constantFrom(...(family === 4 ? v4 : v6)).map((text) => text as Address)
  return fc
    .record({
      source: address,
      destination: address,
      hopLimit: fc.constantFrom(1, 64, 255),
      fragment: fc.oneof(
        { weight: 9, arbitrary: fc.constant('no' as const) },
        {
          weight: options.hasFragments === true ? 2 : 0,
          arbitrary: fc.constantFrom('first' as const, 'later' as const),
        },
      ),
      body: fc.oneof(
        { weight: 3, arbitrary: transport },
        { weight: 1, arbitrary: family === 4 ? icmp4 : icmp6 },
      ),
      tcpFlags: options.hasFlags === true ? fc.constantFrom(0, 1, 2, 3, 16, 18, 20, 41, 63) : fc.constant(2),
    })
    .map(({ body, tcpFlags, ...ip }): IpPacket => {
      if (ip.fragment === 'later') return { ...ip, protocol: body.protocol }
      if (!('ports' in body)) return { ...ip, ...body }
      return {
        ...ip,
        protocol: body.protocol,
        ports: { ...body.ports, ...(body.protocol === 6 ? { tcpFlags } : {}) },
      }
    })
}

/** An IP frame from behind `tapa` to the station behind `tapb`. */
export function ipFrame(options: PacketOptions = {}): fc.Arbitrary<Frame> {
  return fc
    .record({
      sourceMac: fc.constantFrom(macs.tapa, foreignMac).map((mac) => mac as Mac),
      destinationMac: fc
        .constantFrom(macs.tapb, macs.tapb, 'ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:05')
        .map((mac) => mac as Mac),
      ip: fc.oneof(ipPacket(4, options), ipPacket(6, options)),
    })
    .map(({ ip, ...ends }) => ({
      ...ends,
      etherType: ip.source.includes(':') ? 0x86dd : 0x0800,
      payload: { kind: 'ip', ip },
    }))
}

/** ARP of every kind of lie. */
export const arpFrame: fc.Arbitrary<Frame> = fc
  .record({
    sourceMac: fc.constantFrom(macs.tapa, foreignMac).map((mac) => mac as Mac),
    operation: fc.constantFrom(1, 2),
    senderMac: fc.constantFrom(macs.tapa, foreignMac).map((mac) => mac as Mac),
    senderAddress: fc.constantFrom(...v4.slice(0, 3), '0.0.0.0').map((text) => text as Address),
    targetAddress: fc.constantFrom(...v4.slice(0, 3)).map((text) => text as Address),
  })
  .map(({ sourceMac, ...arp }) => ({
    sourceMac,
    destinationMac: 'ff:ff:ff:ff:ff:ff' as Mac,
    etherType: 0x0806,
    payload: { kind: 'arp', arp: { ...arp, targetMac: '00:00:00:00:00:00' as Mac } },
  }))

/** Neighbour discovery of every kind of lie. */
export const discoveryFrame: fc.Arbitrary<Frame> = fc
  .record({
    sourceMac: fc.constantFrom(macs.tapa, foreignMac).map((mac) => mac as Mac),
    source: fc.constantFrom(...v6, '::').map((text) => text as Address),
    type: fc.constantFrom(133, 135, 136, 137),
    target: fc.constantFrom(...v6).map((text) => text as Address),
    link: fc.constantFrom(undefined, macs.tapa, foreignMac),
    hopLimit: fc.constantFrom(255, 255, 64),
  })
  .map(({ sourceMac, source, type, target, link, hopLimit }) => ({
    sourceMac,
    destinationMac: '33:33:00:00:00:01' as Mac,
    etherType: 0x86dd,
    payload: {
      kind: 'ip',
      ip: {
        source,
        destination: 'ff02::1' as Address,
        protocol: 58,
        hopLimit,
        fragment: 'no',
        icmp: {
          type,
          code: 0,
          ...(type === 133 ? {} : { target }),
          ...(link === undefined || type === 137 ? {} : { link: link as Mac }),
        },
      },
    },
  }))

/** Other protocols, and IP behind a VLAN tag. */
export const otherFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.constantFrom(0x8035, 0x88cc, 0x9000).map(
    (etherType): Frame => ({
      sourceMac: macs.tapa as Mac,
      destinationMac: 'ff:ff:ff:ff:ff:ff' as Mac,
      etherType,
      payload: { kind: 'other' },
    }),
  ),
  fc.tuple(ipFrame(), fc.constantFrom(5, 10)).map(([frame, vlan]): Frame => ({ ...frame, vlan })),
)

/**
 * What conntrack says of a packet that belongs to nothing it knows: `nf_conntrack_proto_icmp.c` and `…_icmpv6.c` let few types begin
 * something.
 */
export function trackingOfStranger(frame: Frame): Tracking {
  if (frame.payload.kind !== 'ip') return 'untracked'
  const { protocol, icmp } = frame.payload.ip
  if (protocol === 1) return icmp?.type === 8 || icmp?.type === 13 ? 'new' : 'invalid'
  if (protocol === 58) return icmp?.type === 128 ? 'new' : 'invalid'
  // The SCTP packets of these tests have no right checksum.
  return protocol === 132 ? 'invalid' : 'new'
}
