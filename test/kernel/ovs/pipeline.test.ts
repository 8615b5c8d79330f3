import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ovs } from '../../../src/kernel/ovs/backend.ts'
import { compileSmall, hostOf } from '../../fixtures.ts'
import { type TestSwitch, startSwitch } from './switch.ts'

const inventory = (unmanaged: string) => `
all:
  children:
    hypervisors:
      hosts:
        hv-1:
          ansible_host: 192.0.2.11
          gitwall: { bridges: { br0: { datapath: ovs, uplinks: [uplink0], unmanaged: ${unmanaged} } } }
    web:
      hosts:
        web-1:
          gitwall:
            host: hv-1
            nics: [{ port: tap-web, bridge: br0, network: shop, mac: "52:54:00:00:01:01", addresses: [10.0.0.11, "2001:db8::11"] }]
        web-far:
          gitwall:
            host: hv-1
            nics: [{ port: tap-absent, bridge: br0, network: shop, mac: "52:54:00:00:01:02", addresses: [10.0.0.12, "2001:db8::12"] }]
    db:
      hosts:
        db-1:
          gitwall:
            host: hv-1
            nics: [{ port: tap-db, bridge: br0, network: shop, mac: "52:54:00:00:02:01", addresses: [10.0.0.21, "2001:db8::21"] }]
    other:
      hosts:
        free-1:
          gitwall:
            host: hv-1
            nics: [{ port: tap-free, bridge: br0, network: shop, mac: "52:54:00:00:03:01", addresses: [10.0.0.31, "2001:db8::31"] }]
        trusted-1:
          gitwall:
            host: hv-1
            nics: [{ port: tap-trust, bridge: br0, network: shop, mac: "52:54:00:00:03:02", addresses: [10.0.0.32], antispoof: off }]
        router-1:
          gitwall:
            host: hv-1
            nics: [{ port: tap-router, bridge: br0, network: shop, mac: "52:54:00:00:03:03", addresses: [10.0.0.33, "2001:db8::33"],
                     dhcp_server: true, router_advertisements: true, pairs: [{ mac: "00:00:5e:00:01:07", prefix: 10.0.0.100/32 }] }]
        tagged-1:
          gitwall:
            host: hv-1
            nics: [{ port: tap-ten, bridge: br0, network: ten, mac: "52:54:00:00:04:01", addresses: [10.1.0.11] }]
  vars:
    gitwall_networks:
      shop: { subnets: [10.0.0.0/24, "2001:db8::/64"] }
      ten: { vlan: 10, subnets: [10.1.0.0/24] }
`

const policies = `
sets:
  office: [198.51.100.0/24, 203.0.113.7, "2001:db8:ff::/48"]
  region: [198.51.0.0/16, 192.0.2.128/25]
firewalls:
  web:
    protects: web
    inbound:
      - { name: no scanner, deny: http, from: 198.51.100.66 }
      - { name: public, allow: [http, https], from: any }
      - { name: office, allow: ssh, from: set:office }
      - { name: region, allow: tcp/8080, from: set:region }
    outbound:
      - { name: dns, allow: udp/53, to: any }
      - { name: sql, allow: tcp/5432, to: group:db }
  db:
    protects: db
    inbound:
      - { name: sql, allow: tcp/5432, from: group:web }
    outbound: []
`

const ports = ['uplink0', 'tap-web', 'tap-db', 'tap-free', 'tap-trust', 'tap-router', 'tap-ten', 'tap-else']
const outside = '52:54:00:00:99:99'
const web = '52:54:00:00:01:01'
const db = '52:54:00:00:02:01'
const free = '52:54:00:00:03:01'
const broadcast = 'ff:ff:ff:ff:ff:ff'
const fromWeb = `dl_src=${web},nw_src=10.0.0.11`
const fromWeb6 = `dl_src=${web},ipv6_src=2001:db8::11`
const request = 'trk,new'
const later = 'trk,est'
const reply = 'trk,est,rpl'

let bench: TestSwitch
let hostMac: string

function install(unmanaged: 'leave' | 'drop'): void {
  const compiled = compileSmall(policies, inventory(unmanaged))
  expect(compiled.problems.filter((problem) => problem.severity === 'error')).toEqual([])
  const facts = bench.facts()
  bench.moveTo(ovs.desired(hostOf(compiled, 'hv-1'), facts), facts)
}

beforeAll(() => {
  bench = startSwitch(ports)
  hostMac = bench.facts().ovsPorts.get('br0')?.mac ?? ''
  install('leave')
})
afterAll(() => bench.stop())

/** Where a packet goes: ports, ascending. */
function way(port: string, packet: string, states: readonly string[] = []): readonly string[] {
  return bench.receivers(port, packet, ...states)
}

/** In the order of `way`. */
function only(receivers: readonly string[]): readonly string[] {
  return [...receivers].sort()
}

describe('a guest may only be itself', () => {
  test.each([
    ['ARP of its own', `arp,dl_src=${web},arp_sha=${web},arp_spa=10.0.0.11,arp_tpa=10.0.0.1,arp_op=1`, true],
    ['ARP probe', `arp,dl_src=${web},arp_sha=${web},arp_spa=0.0.0.0,arp_tpa=10.0.0.11,arp_op=1`, true],
    ['ARP for another address', `arp,dl_src=${web},arp_sha=${web},arp_spa=10.0.0.1,arp_op=2`, false],
    [
      'ARP with another sender inside',
      `arp,dl_src=${web},arp_sha=${outside},arp_spa=10.0.0.11,arp_op=2`,
      false,
    ],
    ['ARP from another MAC', `arp,dl_src=${outside},arp_sha=${web},arp_spa=10.0.0.11,arp_op=2`, false],
    ['ARP answer from nobody', `arp,dl_src=${web},arp_sha=${web},arp_spa=0.0.0.0,arp_op=2`, false],
    ['RARP of its own', `dl_type=0x8035,dl_src=${web},arp_sha=${web}`, true],
    ['RARP of another', `dl_type=0x8035,dl_src=${outside},arp_sha=${outside}`, false],
    ['another ethertype', `dl_type=0x88b5,dl_src=${web}`, false],
    ['a tagged frame', `arp,dl_vlan=10,dl_src=${web},arp_sha=${web},arp_spa=10.0.0.11,arp_op=1`, false],
    [
      'a priority-tagged frame',
      `arp,dl_vlan=0,dl_src=${web},arp_sha=${web},arp_spa=10.0.0.11,arp_op=1`,
      false,
    ],
  ])('%s', (_, packet, passes) => {
    const everybody = ['uplink0', 'LOCAL', 'tap-else', 'tap-db', 'tap-free', 'tap-trust', 'tap-router']
    expect(way('tap-web', `${packet},dl_dst=${broadcast}`)).toEqual(only(passes ? everybody : []))
  })

  const multicast = 'dl_dst=33:33:00:00:00:01'
  const solicit = `icmp6,${multicast},icmpv6_type=135,icmpv6_code=0`
  const advertise = `icmp6,${multicast},icmpv6_type=136,icmpv6_code=0`
  test.each([
    [
      'a solicitation of its own',
      `${solicit},${fromWeb6},nw_ttl=255,nd_target=2001:db8::1,nd_sll=${web}`,
      true,
    ],
    ['one without its MAC inside', `${solicit},${fromWeb6},nw_ttl=255,nd_target=2001:db8::1`, true],
    [
      'one with another MAC inside',
      `${solicit},${fromWeb6},nw_ttl=255,nd_target=2001:db8::1,nd_sll=${outside}`,
      false,
    ],
    [
      'one from another address',
      `${solicit},dl_src=${web},ipv6_src=2001:db8::1,nw_ttl=255,nd_target=2001:db8::1,nd_sll=${web}`,
      false,
    ],
    ['one that was forwarded', `${solicit},${fromWeb6},nw_ttl=64,nd_target=2001:db8::1,nd_sll=${web}`, false],
    [
      'detection of its own duplicate',
      `${solicit},dl_src=${web},ipv6_src=::,nw_ttl=255,nd_target=2001:db8::11`,
      true,
    ],
    [
      'the same for its link-local address',
      `${solicit},dl_src=${web},ipv6_src=::,nw_ttl=255,nd_target=fe80::5054:ff:fe00:101`,
      true,
    ],
    [
      'detection that claims another',
      `${solicit},dl_src=${web},ipv6_src=::,nw_ttl=255,nd_target=2001:db8::1`,
      false,
    ],
    [
      'detection with a MAC inside',
      `${solicit},dl_src=${web},ipv6_src=::,nw_ttl=255,nd_target=2001:db8::11,nd_sll=${web}`,
      false,
    ],
    [
      'an advertisement of its own',
      `${advertise},${fromWeb6},nw_ttl=255,nd_target=2001:db8::11,nd_tll=${web}`,
      true,
    ],
    ['one without its MAC inside', `${advertise},${fromWeb6},nw_ttl=255,nd_target=2001:db8::11`, true],
    [
      'one for another address',
      `${advertise},${fromWeb6},nw_ttl=255,nd_target=2001:db8::1,nd_tll=${web}`,
      false,
    ],
    [
      'one with another MAC inside',
      `${advertise},${fromWeb6},nw_ttl=255,nd_target=2001:db8::11,nd_tll=${outside}`,
      false,
    ],
    [
      'one that was forwarded',
      `${advertise},${fromWeb6},nw_ttl=64,nd_target=2001:db8::11,nd_tll=${web}`,
      false,
    ],
    [
      'a router solicitation',
      `icmp6,${multicast},dl_src=${web},ipv6_src=::,nw_ttl=255,icmpv6_type=133,icmpv6_code=0`,
      true,
    ],
    ['a listener report', `icmp6,${multicast},dl_src=${web},ipv6_src=::,nw_ttl=1,icmpv6_type=143`, true],
    [
      'a listener report from its link-local address',
      `icmp6,${multicast},dl_src=${web},ipv6_src=fe80::5054:ff:fe00:101,nw_ttl=1,icmpv6_type=143`,
      true,
    ],
    [
      'a listener report of another',
      `icmp6,${multicast},dl_src=${web},ipv6_src=fe80::1,nw_ttl=1,icmpv6_type=143`,
      false,
    ],
    ['an echo from nobody', `icmp6,${multicast},dl_src=${web},ipv6_src=::,icmpv6_type=128`, false],
    [
      'a router advertisement',
      `icmp6,${multicast},dl_src=${web},ipv6_src=fe80::5054:ff:fe00:101,nw_ttl=255,icmpv6_type=134,icmpv6_code=0`,
      false,
    ],
    [
      'a redirect',
      `icmp6,${multicast},dl_src=${web},ipv6_src=fe80::5054:ff:fe00:101,nw_ttl=255,icmpv6_type=137,icmpv6_code=0`,
      false,
    ],
  ])('in neighbour discovery: %s', (_, packet, passes) => {
    // What passes goes to the hypervisor and to guests too, to each by its own rules.
    const receivers = way('tap-web', packet, Array<string>(6).fill('trk,inv'))
    expect(receivers.slice(-1)).toEqual(passes ? ['uplink0'] : [])
  })

  test.each([
    ['its own address', `udp,${fromWeb},nw_dst=192.0.2.53,udp_dst=53`, true],
    ['another address', `udp,dl_src=${web},nw_src=10.0.0.12,nw_dst=192.0.2.53,udp_dst=53`, false],
    ['another MAC', `udp,dl_src=${outside},nw_src=10.0.0.11,nw_dst=192.0.2.53,udp_dst=53`, false],
    ['no address', `udp,dl_src=${web},nw_src=0.0.0.0,nw_dst=192.0.2.53,udp_dst=53`, false],
    ['its own IPv6 address', `udp6,${fromWeb6},ipv6_dst=2001:db8:f::53,udp_dst=53`, true],
    [
      'its link-local address',
      `udp6,dl_src=${web},ipv6_src=fe80::5054:ff:fe00:101,ipv6_dst=2001:db8:f::53,udp_dst=53`,
      true,
    ],
    [
      'another IPv6 address',
      `udp6,dl_src=${web},ipv6_src=2001:db8::12,ipv6_dst=2001:db8:f::53,udp_dst=53`,
      false,
    ],
  ])('in IP: %s', (_, packet, passes) => {
    for (const state of passes ? [request, later] : [request, later, reply])
      expect(way('tap-web', `${packet},dl_dst=${outside}`, [state])).toEqual(
        only(passes ? ['uplink0', 'tap-else'] : []),
      )
  })

  test('also when no firewall speaks of it', () => {
    const away = `tcp,dl_dst=${outside},nw_dst=192.0.2.1,tp_dst=25`
    expect(way('tap-free', `${away},dl_src=${free},nw_src=10.0.0.31`, [request])).toEqual(
      only(['uplink0', 'tap-else']),
    )
    expect(way('tap-free', `${away},dl_src=${free},nw_src=10.0.0.32`, [request])).toEqual(only([]))
    const nobody = `icmp6,dl_src=${free},dl_dst=${outside},ipv6_src=::,ipv6_dst=2001:db8:9::9,icmpv6_type=128`
    expect(way('tap-free', nobody, [request])).toEqual(only([]))
    const invalid = 'trk,inv'
    expect(way('tap-free', `${away},dl_src=${free},nw_src=10.0.0.31`, [invalid])).toEqual(
      only(['uplink0', 'tap-else']),
    )
    expect(
      way('tap-free', `icmp6,dl_dst=${outside},dl_src=${free},ipv6_src=2001:db8::31,nw_frag=first`, [
        invalid,
      ]),
    ).toEqual(only([]))
  })

  test('unless its anti-spoofing is off', () => {
    const any = `dl_src=${outside},dl_dst=52:54:00:00:88:88`
    expect(way('tap-trust', `udp,${any},nw_src=10.9.9.9,nw_dst=192.0.2.1,udp_dst=5`, [request])).toEqual(
      only(['uplink0', 'tap-else']),
    )
    expect(way('tap-trust', `arp,${any},arp_sha=${web},arp_spa=10.0.0.1,arp_op=2`)).toEqual(
      only(['uplink0', 'tap-else']),
    )
    expect(
      way('tap-trust', `icmp6,${any},ipv6_src=fe80::9,nw_ttl=255,icmpv6_type=134,icmpv6_code=0`),
    ).toEqual(only(['uplink0', 'tap-else']))
    expect(way('tap-trust', `arp,dl_vlan=10,${any},arp_sha=${web},arp_spa=10.0.0.1,arp_op=2`)).toEqual(
      only([]),
    )
  })

  test('and may use the pairs it declares', () => {
    const vrrp = 'dl_src=00:00:5e:00:01:07'
    expect(
      way('tap-router', `udp,${vrrp},dl_dst=${outside},nw_src=10.0.0.100,nw_dst=192.0.2.1,udp_dst=5`, [
        request,
      ]),
    ).toEqual(only(['uplink0', 'tap-else']))
    expect(
      way('tap-router', `udp,${vrrp},dl_dst=${outside},nw_src=10.0.0.33,nw_dst=192.0.2.1,udp_dst=5`, [
        request,
      ]),
    ).toEqual(only([]))
    expect(
      way(
        'uplink0',
        'udp,dl_src=52:54:00:00:99:99,dl_dst=00:00:5e:00:01:07,nw_src=192.0.2.1,nw_dst=10.0.0.100,udp_dst=5',
        [request],
      ),
    ).toEqual(only(['tap-router']))
  })
})

describe('DHCP and router advertisements', () => {
  const all = ['uplink0', 'LOCAL', 'tap-else']
  test('a client asks and gets its answer without a rule', () => {
    const ask = `udp,dl_src=${db},dl_dst=${broadcast},udp_src=68,udp_dst=67`
    // The guests get it through their inbound rules: those that no firewall protects take it.
    const open = ['tap-free', 'tap-trust', 'tap-router']
    expect(
      way('tap-db', `${ask},nw_src=0.0.0.0,nw_dst=255.255.255.255`, Array<string>(6).fill(request)),
    ).toEqual(only([...all, ...open]))
    expect(way('tap-db', `${ask},nw_src=10.0.0.22,nw_dst=255.255.255.255`, [request])).toEqual(only([]))
    expect(
      way(
        'tap-db',
        `udp,dl_src=${db},dl_dst=${outside},nw_src=10.0.0.21,nw_dst=10.0.0.1,udp_src=68,udp_dst=67`,
      ),
    ).toEqual(only(['uplink0', 'tap-else']))
    expect(
      way(
        'uplink0',
        `udp,dl_src=${outside},dl_dst=${db},nw_src=10.0.0.1,nw_dst=10.0.0.21,udp_src=67,udp_dst=68`,
      ),
    ).toEqual(only(['tap-db']))
    expect(
      way(
        'tap-db',
        `udp6,dl_src=${db},dl_dst=${outside},ipv6_src=fe80::5054:ff:fe00:201,ipv6_dst=ff02::1:2,udp_src=546,udp_dst=547`,
      ),
    ).toEqual(only(['uplink0', 'tap-else']))
    expect(
      way(
        'uplink0',
        `udp6,dl_src=${outside},dl_dst=${db},ipv6_src=fe80::1,ipv6_dst=fe80::5054:ff:fe00:201,udp_src=547,udp_dst=546`,
      ),
    ).toEqual(only(['tap-db']))
  })

  test('only a guest that may be a server answers, also in fragments', () => {
    const answer = `udp,dl_dst=${outside},nw_dst=10.0.0.99,udp_src=67,udp_dst=68`
    expect(way('tap-free', `${answer},dl_src=${free},nw_src=10.0.0.31`, [request])).toEqual(only([]))
    expect(way('tap-router', `${answer},dl_src=52:54:00:00:03:03,nw_src=10.0.0.33`, [request])).toEqual(
      only(['uplink0', 'tap-else']),
    )
    const text = [...bench.live(bench.facts()).keys()]
    expect(text.filter((key) => /table=15 .*udp6?,reg7=0/.test(key))).toHaveLength(2)
  })

  test('only a guest that may be a router advertises itself, and it hears who looks for one', () => {
    const all6 = 'dl_dst=33:33:00:00:00:01,nw_ttl=255,icmpv6_code=0'
    const advertisement = `icmp6,${all6},icmpv6_type=134`
    expect(
      way('tap-router', `${advertisement},dl_src=52:54:00:00:03:03,ipv6_src=fe80::5054:ff:fe00:303`),
    ).toEqual(only([...all, 'tap-web', 'tap-db', 'tap-free', 'tap-trust']))
    expect(way('tap-router', `${advertisement},dl_src=52:54:00:00:03:03,ipv6_src=fe80::1`)).toEqual(only([]))
    const invalid = Array<string>(8).fill('trk,inv')
    expect(
      bench.receivers('tap-web', `icmp6,${all6},icmpv6_type=133,dl_src=${web},ipv6_src=::`, ...invalid),
    ).toContain('tap-router')
  })
})

describe('rules', () => {
  const toWeb = `dl_src=${outside},dl_dst=${web},nw_dst=10.0.0.11`
  const toWeb6 = `dl_src=${outside},dl_dst=${web},ipv6_dst=2001:db8::11`
  test.each([
    ['a service for all', `tcp,${toWeb},nw_src=192.0.2.9,tp_dst=443`, true],
    ['a service for all, in IPv6', `tcp6,${toWeb6},ipv6_src=2001:db8:9::9,tp_dst=80`, true],
    ['a port that nobody named', `tcp,${toWeb},nw_src=192.0.2.9,tp_dst=25`, false],
    ['a denied source before a wider allow', `tcp,${toWeb},nw_src=198.51.100.66,tp_dst=80`, false],
    ['the same source, another service', `tcp,${toWeb},nw_src=198.51.100.66,tp_dst=443`, true],
    ['a member of a set', `tcp,${toWeb},nw_src=198.51.100.7,tp_dst=22`, true],
    ['a single member of a set', `tcp,${toWeb},nw_src=203.0.113.7,tp_dst=22`, true],
    ['a stranger beside it', `tcp,${toWeb},nw_src=203.0.113.8,tp_dst=22`, false],
    ['a member of a set, in IPv6', `tcp6,${toWeb6},ipv6_src=2001:db8:ff:1::5,tp_dst=22`, true],
    ['a stranger, in IPv6', `tcp6,${toWeb6},ipv6_src=2001:db8:fe::5,tp_dst=22`, false],
    ['a member of two sets, by the wider one', `tcp,${toWeb},nw_src=198.51.100.7,tp_dst=8080`, true],
    ['a member of the wider set only', `tcp,${toWeb},nw_src=198.51.9.9,tp_dst=8080`, true],
    [
      'a member of the wider set only, by the narrower one',
      `tcp,${toWeb},nw_src=198.51.9.9,tp_dst=22`,
      false,
    ],
    ['another protocol', `udp,${toWeb},nw_src=192.0.2.9,udp_dst=443`, false],
  ])('to a guest: %s', (_, packet, passes) => {
    for (const state of [request, later])
      expect(way('uplink0', packet, [state])).toEqual(only(passes ? ['tap-web'] : []))
  })

  test('replies and related errors pass both ways, invalid packets neither way', () => {
    const answer = `tcp,${toWeb},nw_src=192.0.2.9,tp_dst=50000`
    expect(way('uplink0', answer, [reply])).toEqual(only(['tap-web']))
    expect(way('uplink0', `icmp,${toWeb},nw_src=192.0.2.9,icmp_type=3`, ['trk,rel'])).toEqual(
      only(['tap-web']),
    )
    expect(way('uplink0', `icmp,${toWeb},nw_src=192.0.2.9,icmp_type=3`, ['trk,rel,rpl'])).toEqual(
      only(['tap-web']),
    )
    expect(way('uplink0', `tcp,${toWeb},nw_src=192.0.2.9,tp_dst=50000`, ['trk,new,rel'])).toEqual(only([]))
    expect(way('uplink0', `tcp,${toWeb},nw_src=192.0.2.9,tp_dst=443`, ['trk,inv'])).toEqual(only([]))
    const away = `dl_dst=${outside},${fromWeb},nw_dst=192.0.2.9`
    expect(way('tap-web', `tcp,${away},tp_dst=50000`, [reply])).toEqual(only(['uplink0', 'tap-else']))
    expect(way('tap-web', `icmp,${away},icmp_type=3`, ['trk,rel'])).toEqual(only(['uplink0', 'tap-else']))
    expect(way('tap-web', `udp,${away},udp_dst=53`, ['trk,inv'])).toEqual(only([]))
    expect(way('tap-web', `tcp,${away},tp_dst=25`, [request])).toEqual(only([]))
  })

  test('between guests of one bridge ask both ends, in one look at conntrack', () => {
    const sql = `tcp,${fromWeb},dl_dst=${db},nw_dst=10.0.0.21`
    expect(way('tap-web', `${sql},tp_dst=5432`, [request])).toEqual(only(['tap-db']))
    expect(way('tap-web', `${sql},tp_dst=5432`, [later])).toEqual(only(['tap-db']))
    expect(way('tap-web', `${sql},tp_dst=53`, [request])).toEqual(only([]))
    // Out of db nothing may go, into web http may: the sender's rules stand first.
    const http = `tcp,dl_src=${db},nw_src=10.0.0.21,dl_dst=${web},nw_dst=10.0.0.11,tp_dst=80`
    expect(way('tap-db', http, [request])).toEqual(only([]))
    expect(way('tap-db', http, [reply])).toEqual(only(['tap-web']))
    // Out of free everything may go, into db only sql from web.
    expect(
      way('tap-free', `tcp,dl_src=${free},nw_src=10.0.0.31,dl_dst=${db},nw_dst=10.0.0.21,tp_dst=5432`, [
        request,
      ]),
    ).toEqual(only([]))
    expect(bench.trace('tap-web', `${sql},tp_dst=5432`, request).match(/^recirc\(/gm)).toHaveLength(1)
  })

  test('make a connection known only where both ends have accepted it', () => {
    const commits = (packet: string) =>
      bench.trace('tap-web', packet, request).split('ct(commit,zone=').length > 1
    expect(commits(`tcp,${fromWeb},dl_dst=${db},nw_dst=10.0.0.21,tp_dst=5432`)).toBe(true)
    expect(commits(`tcp,${fromWeb},dl_dst=${outside},nw_dst=10.0.0.21,tp_dst=5432`)).toBe(true)
    expect(commits(`udp,${fromWeb},dl_dst=${db},nw_dst=10.0.0.21,udp_dst=53`)).toBe(false)
    expect(commits(`tcp,${fromWeb},dl_dst=${outside},nw_dst=192.0.2.1,tp_dst=25`)).toBe(false)
  })
})

describe('a frame reaches one port', () => {
  test('when it is for the hypervisor', () => {
    expect(way('tap-web', `udp,${fromWeb},dl_dst=${hostMac},nw_dst=10.0.0.1,udp_dst=53`, [request])).toEqual(
      only(['LOCAL']),
    )
    expect(way('tap-web', `udp,${fromWeb},dl_dst=${hostMac},nw_dst=10.0.0.1,udp_dst=54`, [request])).toEqual(
      only([]),
    )
    expect(
      way('uplink0', `tcp,dl_src=${outside},dl_dst=${hostMac},nw_src=192.0.2.1,nw_dst=10.0.0.1,tp_dst=22`),
    ).toEqual(only(['LOCAL']))
  })

  test('and no guest when nobody here has its MAC', () => {
    const nobody = 'dl_dst=52:54:00:00:77:77'
    expect(way('tap-web', `udp,${fromWeb},${nobody},nw_dst=192.0.2.53,udp_dst=53`, [request])).toEqual(
      only(['uplink0', 'tap-else']),
    )
    expect(
      way('uplink0', `udp,dl_src=${outside},${nobody},nw_src=192.0.2.1,nw_dst=10.0.0.77,udp_dst=53`),
    ).toEqual(only(['LOCAL', 'tap-else']))
    expect(
      way('LOCAL', `udp,dl_src=${hostMac},${nobody},nw_src=10.0.0.1,nw_dst=10.0.0.77,udp_dst=53`),
    ).toEqual(only(['uplink0', 'tap-else']))
    expect(
      way(
        'uplink0',
        `udp,dl_src=${outside},dl_dst=52:54:00:00:01:02,nw_src=192.0.2.1,nw_dst=10.0.0.12,udp_dst=53`,
      ),
    ).toEqual(only(['LOCAL', 'tap-else']))
  })

  test('through its inbound rules, from the hypervisor and from unmanaged ports too', () => {
    const http = `tcp,dl_dst=${web},nw_src=10.0.0.1,nw_dst=10.0.0.11`
    for (const [port, source] of [
      ['LOCAL', hostMac],
      ['tap-else', outside],
    ] as const) {
      expect(way(port, `${http},dl_src=${source},tp_dst=80`, [request])).toEqual(only(['tap-web']))
      expect(way(port, `${http},dl_src=${source},tp_dst=22`, [request])).toEqual(only([]))
    }
  })

  test('unless it is for all: then through the inbound rules of each', () => {
    const states = Array<string>(10).fill(request)
    const mdns = `udp,dl_dst=01:00:5e:00:00:fb,nw_dst=224.0.0.251,udp_dst=5353`
    const open = ['tap-free', 'tap-trust', 'tap-router']
    expect(way('uplink0', `${mdns},dl_src=${outside},nw_src=192.0.2.1`, states)).toEqual(
      only(['LOCAL', 'tap-else', ...open]),
    )
    expect(way('tap-free', `${mdns},dl_src=${free},nw_src=10.0.0.31`, states)).toEqual(
      only(['uplink0', 'LOCAL', 'tap-else', 'tap-trust', 'tap-router']),
    )
    expect(way('uplink0', `dl_type=0x88b5,dl_src=${outside},dl_dst=${broadcast}`)).toEqual(
      only(['LOCAL', 'tap-else']),
    )
  })

  test('and none when bridges must not forward it, or nobody knows its port', () => {
    const stp = 'dl_dst=01:80:c2:00:00:00'
    expect(way('uplink0', `dl_type=0x05ff,dl_src=${outside},${stp}`)).toEqual(only([]))
    expect(way('tap-trust', `dl_type=0x88cc,dl_src=${outside},${stp}`)).toEqual(only([]))
    bench.vsctl('add-port', 'br0', 'tap-new', '--', 'set', 'interface', 'tap-new', 'type=internal')
    expect(
      way(
        'tap-new',
        `arp,dl_src=${outside},dl_dst=${broadcast},arp_spa=10.0.0.1,arp_sha=${outside},arp_op=2`,
      ),
    ).toEqual(only([]))
    bench.vsctl('del-port', 'br0', 'tap-new')
  })

  test('with the tag of its network outside, and without it at the guest', () => {
    const ten = '52:54:00:00:04:01'
    const out = `dl_src=${ten},nw_src=10.1.0.11,nw_dst=10.1.0.1`
    expect(way('tap-ten', `udp,${out},dl_dst=${outside},udp_dst=5`, [request])).toEqual(
      only(['uplink0 tagged 10', 'tap-else tagged 10']),
    )
    expect(way('tap-ten', `udp,${out},dl_dst=${hostMac},udp_dst=5`, [request])).toEqual(
      only(['LOCAL tagged 10']),
    )
    // Not to a guest of another network, though it has that MAC.
    expect(way('tap-ten', `udp,${out},dl_dst=${web},udp_dst=5`, [request])).toEqual(
      only(['uplink0 tagged 10', 'tap-else tagged 10']),
    )
    const back = `udp,dl_src=${outside},dl_dst=${ten},nw_src=10.1.0.1,nw_dst=10.1.0.11,udp_dst=5`
    expect(way('uplink0', `${back},dl_vlan=10`, [request])).toEqual(only(['tap-ten']))
    expect(way('uplink0', `${back},dl_vlan=11`, [request])).toEqual(only(['LOCAL', 'tap-else']))
    expect(way('uplink0', back, [request])).toEqual(only(['LOCAL', 'tap-else']))
    const ask = `arp,dl_src=${outside},dl_dst=${broadcast},arp_spa=10.1.0.1,arp_sha=${outside},arp_op=1`
    expect(way('uplink0', `${ask},dl_vlan=10`)).toEqual(only(['LOCAL', 'tap-else', 'tap-ten']))
    // A tag that only carries a priority is no VLAN.
    expect(
      way(
        'uplink0',
        `arp,dl_vlan=0,dl_src=${outside},dl_dst=${web},arp_spa=10.0.0.1,arp_sha=${outside},arp_op=2`,
      ),
    ).toEqual(only(['tap-web']))
  })
})

describe('`unmanaged: drop`', () => {
  beforeAll(() => install('drop'))
  afterAll(() => install('leave'))

  test('cuts ports of neither a guest nor the outside off', () => {
    expect(
      way(
        'tap-else',
        `arp,dl_src=${outside},dl_dst=${broadcast},arp_spa=10.0.0.1,arp_sha=${outside},arp_op=1`,
      ),
    ).toEqual(only([]))
    expect(
      way('tap-web', `udp,${fromWeb},dl_dst=${outside},nw_dst=192.0.2.53,udp_dst=53`, [request]),
    ).toEqual(only(['uplink0']))
    expect(
      way('LOCAL', `udp,dl_src=${hostMac},dl_dst=${outside},nw_src=10.0.0.1,nw_dst=10.0.0.77,udp_dst=53`),
    ).toEqual(only(['uplink0']))
  })
})
