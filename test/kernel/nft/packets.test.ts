import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { iptables } from '../../../src/kernel/iptables/backend.ts'
import { nft } from '../../../src/kernel/nft/backend.ts'
import type { Nic, RuleId } from '../../../src/model/model.ts'
import type { Address } from '../../../src/net/address.ts'
import { type Mac, linkLocal } from '../../../src/net/mac.ts'
import { type Prefix, hostPrefix } from '../../../src/net/prefix.ts'
import { type Node, type TestBridge, createBridge } from '../iptables/bridge.ts'
import { noFacts } from '../iptables/host.ts'
import { makeHost } from '../iptables/models.ts'
import {
  arp,
  broadcast,
  ethernet,
  fragmentHeader,
  icmp6,
  ip,
  ipv4,
  ipv6,
  linkOption,
  mac,
  optionsHeader,
  udp,
} from './frames.ts'

let bridge: TestBridge

beforeAll(async () => {
  bridge = await createBridge('nft')
  apply({})
})
afterAll(() => bridge.delete())

/** The guest `web` may send anything, as anyone that its NIC allows. */
function apply(changes: Partial<Nic>): void {
  const { web, db } = bridge
  const host = makeHost({ nics: [{ ...open(web), ...changes }, open(db)] })
  for (const kind of [nft, iptables]) bridge.host.move(kind, kind.desired(host, noFacts))
}

function open(node: Node): Nic {
  const all = (id: string) => ({
    kind: 'filtered' as const,
    rules: [
      {
        id: id as RuleId,
        verdict: 'allow' as const,
        peer: 'any' as const,
        services: [{ protocol: 'any' as const }],
      },
    ],
  })
  return {
    guest: node.port,
    port: node.port,
    bridge: 'vmbr0',
    network: { name: 'shop', zone: 0x4001 },
    mac: node.mac,
    addresses: [node.v4 as Address, node.v6 as Address],
    antispoof: true,
    sources: [node.v4, node.v6, linkLocal(node.mac)].map((one) => ({
      mac: node.mac,
      prefix: hostPrefix(one as Address),
    })),
    dhcpServer: false,
    routerAdvertisements: false,
    inbound: all('00000000000a'),
    outbound: all('00000000000b'),
  }
}

const foreign = '52:54:00:00:00:99' as Mac
const [v4, v6, local] = ['10.0.0.11', '2001:db8::11', 'fe80::5054:ff:fe00:b']
const own = '52:54:00:00:00:0b' as Mac
const [peer, peer6, peerMac] = ['10.0.0.1', '2001:db8::1', '52:54:00:00:00:01' as Mac]
const [allNodes, allRouters, allReports] = ['ff02::1', 'ff02::2', 'ff02::16']
const groupMac = '33:33:00:00:00:01' as Mac
const noMac = '00:00:00:00:00:00' as Mac

/** Data of its own in every frame: the frames that arrive are told apart by it. */
let count = 0
const data = () => `c0ffee${(count++).toString(16).padStart(10, '0')}`

const udp4 = (
  from: string,
  options: { mac?: Mac; to?: string; sport?: number; dport?: number; tags?: number[] } = {},
) => {
  const to = options.to ?? peer
  const payload = udp(
    { ip: from, port: options.sport ?? 999 },
    { ip: to, port: options.dport ?? 999 },
    data(),
  )
  return ethernet(
    to === '255.255.255.255' ? broadcast : peerMac,
    options.mac ?? own,
    0x0800,
    ipv4(from, to, 17, payload),
    options.tags,
  )
}
const udp6 = (from: string, options: { mac?: Mac; sport?: number; dport?: number } = {}) => {
  const payload = udp(
    { ip: from, port: options.sport ?? 999 },
    { ip: peer6, port: options.dport ?? 999 },
    data(),
  )
  return ethernet(peerMac, options.mac ?? own, 0x86dd, ipv6(from, peer6, 17, payload))
}
const arpFrame = (operation: number, sha: Mac, spa: string, from: Mac = own) =>
  ethernet(
    broadcast,
    from,
    0x0806,
    arp(operation, { mac: sha, ip: spa }, { mac: noMac, ip: `10.0.0.${1 + (count++ % 250)}` }),
  )
const discovery = (
  type: number,
  from: string,
  body: string,
  options: { mac?: Mac; hops?: number; to?: string } = {},
) => {
  const to = options.to ?? allNodes
  return ethernet(
    groupMac,
    options.mac ?? own,
    0x86dd,
    ipv6(from, to, 58, icmp6(from, to, type, body), options.hops),
  )
}
const advert = (target: string, from = v6, option = '', more: { mac?: Mac; hops?: number } = {}) =>
  discovery(136, from, `20000000${ip(target)}${option}`, more)
const solicit = (target: string, from = v6, option = '', more: { mac?: Mac; hops?: number } = {}) =>
  discovery(135, from, `00000000${ip(target)}${option}`, more)
const routerAdvert = () =>
  discovery(134, local, '4000070800000000000000000101525400000000'.slice(0, 24) + linkOption(1, own))
const nonce = '0e01010203040506'

/** A message in two frames, cut after `first` hex digits; `next` is what their fragment headers say follows. */
const split = (next: readonly [number, number], first: number, whole: string) =>
  [whole.slice(0, first), whole.slice(first)].map((part, index) => {
    const header = fragmentHeader(next[index] ?? 0, { offset: index * (first / 16), more: index === 0 })
    return ethernet(groupMac, own, 0x86dd, ipv6(v6, allNodes, 44, header + part))
  })
const hiddenAdvert = (before: (next: number) => { next: number; header: string }) => {
  const { next, header } = before(58)
  return ethernet(
    groupMac,
    own,
    0x86dd,
    ipv6(v6, allNodes, next, header + icmp6(v6, allNodes, 136, `20000000${ip(peer6)}`)),
  )
}

type Frames = readonly (readonly [string, string])[]

const passes: Frames = [
  ['IPv4 from its own address', udp4(v4)],
  ['IPv6 from its own address', udp6(v6)],
  ['IPv6 from its link-local address', udp6(local)],
  ['a DHCP request', udp4('0.0.0.0', { to: '255.255.255.255', sport: 68, dport: 67 })],
  ['an ARP request', arpFrame(1, own, v4)],
  ['an ARP reply', arpFrame(2, own, v4)],
  ['an ARP probe', arpFrame(1, own, '0.0.0.0')],
  ['RARP', ethernet(broadcast, own, 0x8035, `0001080006040003${mac(own)}00000000${mac(own)}00000000`)],
  ['a neighbour advertisement of its own', advert(v6, v6, linkOption(2, own))],
  ['a neighbour advertisement without option', advert(local, local)],
  ['a neighbour solicitation', solicit(peer6, v6, linkOption(1, own))],
  ['duplicate address detection', solicit(v6, '::', nonce)],
  ['duplicate address detection of the old kind', solicit(local, '::')],
  ['a router solicitation', discovery(133, local, `00000000${linkOption(1, own)}`, { to: allRouters })],
  ['a router solicitation from nowhere', discovery(133, '::', '00000000', { to: allRouters })],
  ['a membership report', discovery(143, local, '00000000', { to: allReports, hops: 1 })],
]

const isDropped: Frames = [
  ["IPv4 from another's MAC", udp4(v4, { mac: foreign })],
  ["IPv4 from another's address", udp4('10.0.0.12')],
  ['IPv4 from nowhere', udp4('0.0.0.0')],
  ['IPv4 with a VLAN tag', udp4(v4, { tags: [10] })],
  ['IPv4 with the tag of priority alone', udp4(v4, { tags: [0] })],
  ['IPv4 with two VLAN tags', udp4(v4, { tags: [10, 20] })],
  ["IPv6 from another's MAC", udp6(v6, { mac: foreign })],
  ["IPv6 from another's address", udp6('2001:db8::12')],
  ["IPv6 from another's link-local address", udp6('fe80::1')],
  ['IPv6 from nowhere', udp6('::')],
  ["ARP with another's hardware address", arpFrame(2, foreign, v4)],
  ["ARP for another's address", arpFrame(2, own, peer)],
  ["ARP from another's MAC", arpFrame(1, foreign, v4, foreign)],
  ['an ARP reply from nowhere', arpFrame(2, own, '0.0.0.0')],
  ['a DHCP reply', udp4(v4, { to: '255.255.255.255', sport: 67, dport: 68 })],
  ['a DHCPv6 reply', udp6(local, { sport: 547, dport: 546 })],
  ['a router advertisement', routerAdvert()],
  ['a redirect', discovery(137, local, `00000000${ip(peer6)}${ip(peer6)}`)],
  ["an advertisement of another's address", advert(peer6)],
  ["an advertisement with another's hardware address", advert(v6, v6, linkOption(2, foreign))],
  ['an advertisement that was forwarded', advert(v6, v6, '', { hops: 254 })],
  ['an advertisement with two options', advert(v6, v6, linkOption(2, own) + linkOption(2, foreign))],
  ['an advertisement behind options', hiddenAdvert((next) => ({ next: 60, header: optionsHeader(next, 1) }))],
  [
    'an advertisement in an atomic fragment',
    hiddenAdvert((next) => ({ next: 44, header: fragmentHeader(next, { offset: 0, more: false }) })),
  ],
  ["a solicitation with another's hardware address", solicit(peer6, v6, linkOption(1, foreign))],
  ["duplicate address detection of another's address", solicit(peer6, '::', nonce)],
  [
    "a router solicitation with another's hardware address",
    discovery(133, local, `00000000${linkOption(1, foreign)}`),
  ],
  ['an advertisement in a packet that claims to be longer', advert(peer6).replace(/(?<=^.{36}).{4}/, '0040')],
  ['another protocol', ethernet(broadcast, own, 0x88cc, data().repeat(4))],
  ['spanning tree', ethernet('01:80:c2:00:00:00' as Mac, own, 38, `424203${data().repeat(4)}`)],
  ['an 802.3 frame', ethernet(broadcast, own, 32, data().repeat(4))],
]

describe('a guest of a Linux bridge', () => {
  test('may send what is its own', async () => {
    const arrived = await bridge.forge(
      bridge.web,
      bridge.outside,
      passes.map(([, frame]) => frame),
    )
    expect(passes.filter(([, frame]) => !arrived.includes(frame)).map(([name]) => name)).toEqual([])
  })

  // Without iptables, on which none of this may lean; its conntrack would also put fragments together.
  test('cannot pose as another', async () => {
    const frames = isDropped.map(([, frame]) => frame)
    const forged = await forgeWithoutIptables(bridge.web, frames)
    expect(isDropped.filter(([, frame]) => forged.includes(frame)).map(([name]) => name)).toEqual([])
    // The same frames arrive where nothing checks them, so that it is no accident of the bridge that these did not.
    const unchecked = await forgeWithoutIptables(bridge.stray, frames)
    expect(isDropped.filter(([, frame]) => !unchecked.includes(frame)).map(([name]) => name)).toEqual([])
  })

  test('cannot hide a lie in fragments', async () => {
    const lie = icmp6(v6, allNodes, 136, `20000000${ip(peer6)}`)
    const optionApart = icmp6(v6, allNodes, 136, `20000000${ip(v6)}${linkOption(2, foreign)}`)
    const messages = [
      // The receiver believes what the first fragment says of the next header, so the second may say anything.
      split([60, 60], 16, optionsHeader(58, 2) + lie),
      split([60, 6], 16, optionsHeader(58, 2) + lie),
      split([58, 58], 48, optionApart),
    ]
    for (const fragments of messages) {
      expect(await forgeWithoutIptables(bridge.web, fragments)).not.toContain(fragments[0])
      expect(await forgeWithoutIptables(bridge.stray, fragments)).toEqual(fragments)
    }
  })

  test('may serve DHCP, advertise routes and use further addresses where its NIC says so', async () => {
    const shared = 'fe80::5054:ff:fe00:b'
    const [vrrp, alias] = ['00:00:5e:00:01:07' as Mac, '10.0.0.77']
    apply({
      dhcpServer: true,
      routerAdvertisements: true,
      sources: [
        ...open(bridge.web).sources,
        { mac: vrrp, prefix: '10.0.0.76/31' as Prefix },
        { mac: vrrp, prefix: '2001:db8:7::/61' as Prefix },
      ],
    })
    const allowed = [
      udp4(v4, { to: '255.255.255.255', sport: 67, dport: 68 }),
      udp6(shared, { sport: 547, dport: 546 }),
      routerAdvert(),
      udp4(alias, { mac: vrrp }),
      arpFrame(2, vrrp, alias, vrrp),
      udp6('2001:db8:7:7::1', { mac: vrrp }),
      advert('2001:db8:7:7::1', '2001:db8:7::1', linkOption(2, vrrp), { mac: vrrp }),
    ]
    const refused = [
      udp4(alias),
      udp4(v4, { mac: vrrp }),
      arpFrame(2, own, alias),
      arpFrame(2, vrrp, v4, vrrp),
      udp6('2001:db8:7:8::1', { mac: vrrp }),
      advert('2001:db8:7:8::1', '2001:db8:7::1', linkOption(2, vrrp), { mac: vrrp }),
      advert('2001:db8:7:7::1', '2001:db8:7::1', linkOption(2, own), { mac: vrrp }),
      advert(v6, '2001:db8:7::1', '', { mac: vrrp }),
    ]
    expect(await bridge.forge(bridge.web, bridge.outside, [...allowed, ...refused])).toEqual(allowed)
    apply({})
  })

  test('still talks: its own stack passes all of this', () => {
    expect(
      bridge.try(bridge.web, [
        { kind: 'tcp', to: bridge.outside.v4, port: 80 },
        { kind: 'tcp', to: bridge.outside.v6, port: 80 },
        { kind: 'ping', to: bridge.own.v6 },
        { kind: 'udp', to: bridge.db.v6, port: 53 },
      ]),
    ).toEqual(['passed', 'passed', 'passed', 'passed'])
  })
})

/**
 * The frames that arrive outside. Tags are taken off by the receiving socket, so such frames are looked for without them. The
 * receiver may have believed the lies, and must forget them.
 */
async function forgeWithoutIptables(from: Node, frames: readonly string[]): Promise<readonly string[]> {
  const untagged = frames.map((frame) => frame.replace(/^(.{24})8100.{4}/, '$1'))
  callIptables(0)
  const seen = await bridge.forge(from, bridge.outside, frames, untagged)
  callIptables(1)
  bridge.outside.namespace.must(['ip', 'neigh', 'flush', 'all'])
  return frames.filter((_, index) => seen.includes(untagged[index] ?? ''))
}

function callIptables(value: 0 | 1): void {
  for (const tool of ['iptables', 'ip6tables'])
    bridge.host.must(['sysctl', '-qw', `net.bridge.bridge-nf-call-${tool}=${value}`])
}
