import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ipset } from '../../../src/kernel/ipset/backend.ts'
import { iptables } from '../../../src/kernel/iptables/backend.ts'
import { nft } from '../../../src/kernel/nft/backend.ts'
import type { AddressList, HostModel, Nic, Rule, RuleId, Ruleset } from '../../../src/model/model.ts'
import { type Mac, linkLocal } from '../../../src/net/mac.ts'
import { type Prefix, hostPrefix } from '../../../src/net/prefix.ts'
import type { Address } from '../../../src/net/address.ts'
import { type Node, type Probe, type TestBridge, createBridge, outputOf } from './bridge.ts'
import { broadcast, ethernet, icmp6, ip, ipv4, ipv6, linkOption, udp as udpDatagram } from '../nft/frames.ts'
import { noFacts } from './host.ts'
import { makeHost } from './models.ts'

const unfiltered: Ruleset = { kind: 'unfiltered', rules: [] }
let nextId = 1

function rule(verdict: Rule['verdict'], service: string, peer: Rule['peer']): Rule {
  const [protocol = '', number = ''] = service.split('/')
  const id = (nextId++).toString(16).padStart(12, '0') as RuleId
  const port = { first: Number(number), last: Number(number) }
  if (protocol === 'any') return { id, verdict, peer, services: [{ protocol }] }
  if (protocol === 'ping')
    return {
      id,
      verdict,
      peer,
      services: [
        { protocol: 'icmp', type: 8 },
        { protocol: 'icmp6', type: 128 },
      ],
    }
  return { id, verdict, peer, services: [{ protocol: protocol as 'tcp', ports: [port], sourcePorts: [] }] }
}

function filtered(...rules: readonly Rule[]): Ruleset {
  return { kind: 'filtered', rules }
}

function list(name: string, ...prefixes: readonly string[]): AddressList {
  return { name, prefixes: prefixes as readonly Prefix[] }
}

function nic(node: Node, inbound: Ruleset, outbound: Ruleset): Nic {
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
    inbound,
    outbound,
  }
}

const tcp = (to: string, port: number, from?: string): Probe => ({
  kind: 'tcp',
  to,
  port,
  ...(from === undefined ? {} : { from }),
})
const udp = (to: string, port: number): Probe => ({ kind: 'udp', to, port })
const ping = (to: string): Probe => ({ kind: 'ping', to })

describe.each(['nft', 'legacy'] as const)('packets, with iptables on the %s back end', (backend) => {
  let bridge: TestBridge

  beforeAll(async () => {
    bridge = await createBridge(backend)
  })
  afterAll(() => bridge.delete())

  function apply(model: HostModel): void {
    const sets = ipset.desired(model, noFacts)
    bridge.host.move(ipset, new Map([...bridge.host.read(ipset), ...sets]))
    for (const kind of [nft, iptables]) bridge.host.move(kind, kind.desired(model, noFacts))
    bridge.host.move(ipset, sets)
  }

  describe('between guests, outside and hypervisor', () => {
    beforeAll(() => {
      const { web, db, own } = bridge
      const office = list(
        'set:office',
        '10.0.0.50/32',
        '10.0.0.60/32',
        '2001:db8::50/128',
        '2001:db8::60/128',
      )
      const database = list('group:db', `${db.v4}/32`, '10.0.0.99/32', `${db.v6}/128`, '2001:db8::99/128')
      const hypervisor = list('host:hv-1', `${own.v4}/32`, `${own.v6}/128`)
      const webIn = filtered(
        rule('allow', 'tcp/80', 'any'),
        rule('allow', 'tcp/22', office),
        rule('reject', 'tcp/81', 'any'),
        rule('deny', 'udp/53', list('set:bad', '10.0.0.1/32')),
        rule('allow', 'udp/53', 'any'),
        rule('allow', 'ping', 'any'),
      )
      const webOut = filtered(
        rule('allow', 'tcp/5432', database),
        rule('allow', 'tcp/80', database),
        rule('allow', 'udp/9999', 'any'),
        rule('allow', 'tcp/8443', hypervisor),
        rule('allow', 'tcp/443', hypervisor),
      )
      const dbIn = filtered(rule('allow', 'tcp/5432', list('guest:web-1', `${web.v4}/32`, `${web.v6}/128`)))
      apply(
        makeHost({
          nics: [nic(web, webIn, webOut), nic(db, dbIn, filtered())],
          own: { inbound: filtered(rule('allow', 'tcp/8443', 'any')), outbound: unfiltered },
          management: ['10.0.0.1/32', '10.0.0.7/32', '2001:db8::1/128'] as unknown as Prefix[],
        }),
      )
    })

    test('what a rule allows passes and what none allows does not, on IPv4 and IPv6', () => {
      const { web, db, outside } = bridge
      // Linux believes an ICMPv6 error that comes back within its own connect(), as over veth, at the second attempt only.
      const refused = (to: string) => ({ ...tcp(to, 81), patienceSeconds: 1.5 })
      const targets = [web.v4, web.v6].flatMap((to) => [tcp(to, 80), tcp(to, 443), refused(to), ping(to)])
      expect(bridge.try(outside, targets)).toEqual([
        'passed',
        'silent',
        'refused',
        'passed',
        'passed',
        'silent',
        'refused',
        'passed',
      ])
      expect(
        bridge.try(outside, [
          udp(web.v4, 53),
          udp(web.v6, 53),
          udp(web.v4, 123),
          ping(db.v4),
          tcp(db.v6, 5432),
        ]),
      ).toEqual(['silent', 'passed', 'silent', 'silent', 'silent'])
    })

    test('a set lets in its members only', () => {
      const { web, outside } = bridge
      expect(
        bridge.try(outside, [
          tcp(web.v4, 22, '10.0.0.50'),
          tcp(web.v4, 22, '10.0.0.1'),
          tcp(web.v6, 22, '2001:db8::50'),
          tcp(web.v6, 22, '2001:db8::1'),
        ]),
      ).toEqual(['passed', 'silent', 'passed', 'silent'])
    })

    test('between two guests of one bridge both have a say', () => {
      const { web, db } = bridge
      expect(bridge.try(web, [tcp(db.v4, 5432), tcp(db.v6, 5432)])).toEqual(['passed', 'passed'])
      expect(bridge.try(web, [tcp(db.v4, 22), tcp(db.v4, 80), tcp(db.v6, 80)])).toEqual([
        'silent',
        'silent',
        'silent',
      ])
      expect(bridge.try(db, [tcp(web.v4, 80), tcp(web.v6, 80), ping(web.v4)])).toEqual([
        'silent',
        'silent',
        'silent',
      ])
    })

    test('from a guest to the hypervisor both have a say', () => {
      const { web, db, own } = bridge
      expect(
        bridge.try(web, [tcp(own.v4, 8443), tcp(own.v6, 8443), tcp(own.v4, 443), tcp(own.v4, 22)]),
      ).toEqual(['passed', 'passed', 'silent', 'silent'])
      expect(bridge.try(db, [tcp(own.v4, 8443), tcp(own.v6, 8443)])).toEqual(['silent', 'silent'])
    })

    test('from a guest to the outside its own rules decide', () => {
      const { web, outside } = bridge
      expect(bridge.try(web, [tcp(outside.v4, 443), tcp(outside.v6, 80)])).toEqual(['silent', 'silent'])
    })

    test('what the network says of a connection comes back', () => {
      const closed = [udp(bridge.outside.v4, 9999), udp(bridge.outside.v6, 9999)]
      expect(bridge.try(bridge.web, closed)).toEqual(['refused', 'refused'])
    })

    test('without any rule a guest gets its address and finds its neighbours, and nothing else', async () => {
      const { db, outside } = bridge
      const everyone = '255.255.255.255'
      const groupMac = '33:33:00:00:00:01' as Mac
      const lease = (from: string, ports: readonly [number, number], sender: Mac) => {
        const payload = udpDatagram({ ip: from, port: ports[0] }, { ip: everyone, port: ports[1] }, 'c0ffee')
        return ethernet(broadcast, sender, 0x0800, ipv4(from, everyone, 17, payload))
      }
      const discovery = (type: number, from: string, body: string, sender: Mac, hops = 255) =>
        ethernet(
          groupMac,
          sender,
          0x86dd,
          ipv6(from, 'ff02::1', 58, icmp6(from, 'ff02::1', type, body), hops),
        )
      const solicit = `00000000${ip(outside.v6)}${linkOption(1, db.mac)}`
      const out = [lease('0.0.0.0', [68, 67], db.mac), discovery(135, db.v6, solicit, db.mac)]
      const notOut = [lease(db.v4, [999, 68], db.mac), discovery(128, db.v6, '00010001', db.mac)]
      expect(await bridge.forge(db, outside, [...out, ...notOut])).toEqual(out)
      const router = linkLocal(outside.mac)
      const advert = '400007080000000000000000'
      const into = [lease(outside.v4, [67, 68], outside.mac), discovery(134, router, advert, outside.mac)]
      const notInto = [
        lease(outside.v4, [67, 69], outside.mac),
        discovery(134, router, advert, outside.mac, 254),
      ]
      expect(await bridge.forge(outside, db, [...into, ...notInto])).toEqual(into)
    })

    test('the hypervisor has its own rules, and the floor for its management', () => {
      const { outside, own } = bridge
      expect(
        bridge.try(outside, [
          tcp(own.v4, 22, '10.0.0.1'),
          tcp(own.v6, 22, '2001:db8::1'),
          tcp(own.v4, 22, '10.0.0.50'),
          tcp(own.v4, 8443),
          tcp(own.v6, 8443),
          tcp(own.v4, 443),
        ]),
      ).toEqual(['passed', 'passed', 'silent', 'passed', 'passed', 'silent'])
    })

    test('a port that nobody declared is left alone', () => {
      const { web, stray, outside } = bridge
      expect(bridge.try(stray, [tcp(outside.v4, 443), tcp(web.v4, 80), tcp(web.v4, 443)])).toEqual([
        'passed',
        'passed',
        'silent',
      ])
    })
  })

  describe('of a connection whose rule goes away', () => {
    let allowed: HostModel
    beforeEach(() => {
      const open = filtered(rule('allow', 'any', 'any'))
      allowed = makeHost({ nics: [nic(bridge.web, filtered(rule('allow', 'tcp/9000', 'any')), open)] })
      apply(allowed)
    })

    test('none arrives any more, though the guest may send anything', async () => {
      const client = bridge.start(bridge.outside, ['stream', bridge.web.v4, '1.8'])
      const output = outputOf(client)
      await new Promise((resolve) => setTimeout(resolve, 700))
      apply(makeHost({ nics: allowed.nics.map((one) => ({ ...one, inbound: filtered() })) }))
      const cutAt = Date.now() / 1000
      const times = (await output).trim().split('\n').map(Number)
      expect(times.length).toBeGreaterThan(5)
      expect(Math.max(...times)).toBeLessThan(cutAt + 0.25)
    })
  })

  describe('of ports that nobody declared, where the bridge says so', () => {
    test('neither reach anyone nor are reached', () => {
      const { web, stray, outside, own } = bridge
      const open = filtered(rule('allow', 'any', 'any'))
      apply(
        makeHost({
          bridge: { name: 'vmbr0', datapath: 'linux', uplinks: ['uplink0'], unmanaged: 'drop' },
          nics: [nic(web, open, open)],
        }),
      )
      expect(
        bridge.try(stray, [tcp(outside.v4, 80), tcp(web.v4, 80), tcp(own.v4, 80), tcp(web.v6, 80)]),
      ).toEqual(Array(4).fill('silent'))
      expect(
        bridge.try(outside, [tcp(stray.v4, 80), tcp(web.v4, 80), tcp(own.v4, 80), tcp(web.v6, 80)]),
      ).toEqual(['silent', 'passed', 'passed', 'passed'])
      expect(bridge.try(web, [tcp(stray.v6, 80), tcp(outside.v4, 80), tcp(own.v6, 80)])).toEqual([
        'silent',
        'passed',
        'passed',
      ])
    })
  })
})
