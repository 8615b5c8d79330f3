import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  arp,
  broadcastMac,
  dhcpOffer,
  ethernet,
  icmp6,
  ip,
  neighbourAdvertisement,
  routerAdvertisement,
  tagged,
} from '../../lab/frames.ts'
import { type Fleet, startFleet } from '../../lab/fleet.ts'
import type { LabGuest } from '../../lab/lab.ts'
import { sendFrames, startCapture } from '../../lab/traffic.ts'

let fleet: Fleet

beforeAll(async () => {
  fleet = await startFleet()
  const run = await fleet.reconcile('apply')
  expect(run.code, run.stdout + run.stderr).toBe(0)
}, 120_000)

afterAll(() => fleet.stop())

/** ICMP echo request with its checksum. */
const echo = Buffer.from('0800f7fd00010001', 'hex')
const echo6 = Buffer.from('00010001', 'hex')
const foreignMac = '52:54:00:00:09:09'

interface Case {
  readonly what: string
  readonly frame: Uint8Array
}

function casesOf(
  from: LabGuest,
  to: LabGuest,
): { readonly honest: readonly Case[]; readonly lying: readonly Case[] } {
  const [own4 = '', own6 = ''] = from.addresses
  const [peer4 = '', peer6 = ''] = to.addresses
  const linkLocal = linkLocalOf(from.mac)
  const ends = { sourceMac: from.mac, destinationMac: to.mac }
  const toAll = { sourceMac: from.mac, destinationMac: broadcastMac }
  const asks = { operation: 1 as const, senderMac: from.mac, senderAddress: own4, targetAddress: peer4 }
  const v4 = { ...ends, source: own4, destination: peer4 }
  const v6 = { ...ends, source: own6, destination: peer6 }
  const advertises = { ...v6, target: own6, targetMac: from.mac }
  const offers = { ...ends, source: own4, destination: peer4, offered: '10.0.0.99', clientMac: to.mac }
  return {
    honest: [
      { what: 'IPv4 of its own', frame: ip(v4, 1, echo) },
      { what: 'IPv6 of its own', frame: icmp6({ ...v6, hopLimit: 64 }, 128, echo6) },
      { what: 'ARP of its own', frame: arp({ ...toAll, ...asks }) },
      {
        what: 'an ARP probe',
        frame: arp({ ...toAll, ...asks, senderAddress: '0.0.0.0', targetAddress: own4 }),
      },
      { what: 'a neighbour advertisement of its own', frame: neighbourAdvertisement(advertises) },
      {
        what: 'one from its link-local address',
        frame: neighbourAdvertisement({ ...advertises, source: linkLocal, target: linkLocal }),
      },
    ],
    lying: [
      { what: 'IPv4 with a foreign MAC', frame: ip({ ...v4, sourceMac: foreignMac }, 1, echo) },
      { what: 'a foreign IPv4 source', frame: ip({ ...v4, source: '10.0.0.99' }, 1, echo) },
      { what: 'the source of a neighbour', frame: ip({ ...v4, source: '10.0.0.51' }, 1, echo) },
      {
        what: 'a foreign IPv6 source',
        frame: icmp6({ ...v6, source: '2001:db8:0:10::99', hopLimit: 64 }, 128, echo6),
      },
      {
        what: 'a foreign link-local source',
        frame: icmp6({ ...v6, source: 'fe80::99', hopLimit: 64 }, 128, echo6),
      },
      {
        what: 'IPv6 with a foreign MAC',
        frame: icmp6({ ...v6, sourceMac: foreignMac, hopLimit: 64 }, 128, echo6),
      },
      {
        what: 'ARP for a foreign address',
        frame: arp({ ...toAll, ...asks, operation: 2, senderAddress: '10.0.0.1' }),
      },
      { what: 'ARP with a foreign sender MAC', frame: arp({ ...toAll, ...asks, senderMac: foreignMac }) },
      { what: 'ARP from a foreign MAC', frame: arp({ ...toAll, ...asks, sourceMac: foreignMac }) },
      {
        what: 'a neighbour advertisement for a foreign target',
        frame: neighbourAdvertisement({ ...advertises, target: '2001:db8:0:10::1' }),
      },
      {
        what: 'one with a foreign link-layer address',
        frame: neighbourAdvertisement({ ...advertises, targetMac: foreignMac }),
      },
      {
        what: 'one that has passed a router',
        frame: neighbourAdvertisement({ ...advertises, hopLimit: 64 }),
      },
      {
        what: 'a router advertisement',
        frame: routerAdvertisement({ ...v6, source: linkLocal, prefix: '2001:db8:bad::' }),
      },
      { what: 'a DHCP offer', frame: dhcpOffer(offers) },
      { what: 'a tagged frame', frame: tagged(ip(v4, 1, echo), 7) },
      { what: 'an ethertype that nobody asked for', frame: ethernet(ends, 0x88cc, Buffer.alloc(46)) },
    ],
  }
}

/** RFC 4291, appendix A, written anew: the product's own would prove nothing. */
function linkLocalOf(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((part) => Number.parseInt(part, 16))
  const group = (high: number, low: number) => ((high << 8) | low).toString(16)
  return `fe80::${group(a ^ 2, b)}:${group(c, 0xff)}:${group(0xfe, d)}:${group(e, f)}`
}

describe.each([
  ['Open vSwitch, one host', 'web-1', 'app-1'],
  ['Open vSwitch, two hosts', 'web-1', 'web-2'],
  ['Linux bridge, one host', 'web-3', 'app-3'],
  ['Linux bridge, two hosts', 'web-3', 'web-4'],
])('%s: a guest', (_, fromName, toName) => {
  test('is heard when it is honest and not when it lies', async () => {
    const [from, to] = [guest(fromName), guest(toName)]
    const { honest, lying } = casesOf(from, to)
    const capture = await startCapture(to)
    // Twice, since the first packets after a start may be lost; what must not arrive gets the same two chances.
    for (let round = 0; round < 2; round++) {
      await sendFrames(
        from,
        [...honest, ...lying].map((one) => one.frame),
      )
      await delay(300)
    }
    await capture.stop()
    const heard = ({ frame }: Case) =>
      capture.frames().some(({ bytes }) => Buffer.from(bytes).includes(Buffer.from(frame)))
    expect(
      honest.filter((one) => !heard(one)).map((one) => one.what),
      'must arrive',
    ).toEqual([])
    expect(
      lying.filter(heard).map((one) => one.what),
      'must not arrive',
    ).toEqual([])
  })
})

function guest(name: string): LabGuest {
  const found = fleet.lab.guests.get(name)
  if (found === undefined) throw new Error(`no guest ${name}`)
  return found
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
