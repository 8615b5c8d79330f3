import { describe, expect, test } from 'vitest'
import { assumedFacts } from '../../../src/kernel/assumed-facts.ts'
import type { State } from '../../../src/kernel/backend.ts'
import { diffState } from '../../../src/kernel/diff.ts'
import type { HostFacts } from '../../../src/kernel/facts.ts'
import { ovs } from '../../../src/kernel/ovs/backend.ts'
import type { AddressList, Bridge, Nic, Rule, RuleId, Ruleset } from '../../../src/model/model.ts'
import { type Mac, linkLocal } from '../../../src/net/mac.ts'
import { type Prefix, hostPrefix } from '../../../src/net/prefix.ts'
import type { ServiceMatch } from '../../../src/repo/repo.ts'
import { addressesOf, hostModel, macOf, networks, nicPorts } from './models.ts'

const bridge: Bridge = { name: 'br0', datapath: 'ovs', uplinks: ['uplink0'], unmanaged: 'leave' }
const none: Ruleset = { kind: 'filtered', rules: [] }

function tcp(port: number): ServiceMatch {
  return { protocol: 'tcp', ports: [{ first: port, last: port }], sourcePorts: [] }
}

function allow(id: string, port: number, peer: Rule['peer'] = 'any'): Rule {
  return { id: id.repeat(12) as RuleId, verdict: 'allow', peer, services: [tcp(port)] }
}

function list(name: string, ...prefixes: readonly string[]): AddressList {
  return { name, prefixes: prefixes as readonly Prefix[] }
}

function nic(port: string, inbound: readonly Rule[], rest: Partial<Nic> = {}): Nic {
  const mac = macOf(port)
  return {
    guest: port,
    port,
    bridge: 'br0',
    network: networks[0] as Nic['network'],
    mac,
    addresses: addressesOf(port),
    antispoof: true,
    sources: [...addressesOf(port), linkLocal(mac)].map((address) => ({ mac, prefix: hostPrefix(address) })),
    dhcpServer: false,
    routerAdvertisements: false,
    inbound: { kind: 'filtered', rules: inbound },
    outbound: none,
    ...rest,
  }
}

function render(nics: readonly Nic[], facts?: HostFacts): State {
  const host = hostModel(nics, [bridge])
  return ovs.desired(host, facts ?? assumedFacts(host))
}

/** Flows of the inbound rules of a NIC, as `priority,match → rule's first digit`. */
function inbound(state: State): readonly string[] {
  return [...state].flatMap(([key, text]) => {
    const match = /^br0 table=23 priority=(\d+,.*)$/.exec(key)?.[1]
    return match === undefined ? [] : [`${match} → ${ovs.ruleIds(text)[0]?.[0]}`]
  })
}

const [first, second] = nicPorts

describe('rules of a NIC', () => {
  test('of one verdict stand at one priority, so that a new one among them moves no other', () => {
    const before = render([nic(first, [allow('a', 80), allow('b', 443)])])
    const after = render([nic(first, [allow('a', 80), allow('c', 8080), allow('b', 443)])])
    expect(diffState(before, after).map(({ op, key }) => `${op} ${key}`)).toEqual([
      `add br0 table=23 priority=100,tcp,reg5="${first}",tp_dst=8080`,
      `add br0 table=23 priority=100,tcp6,reg5="${first}",tp_dst=8080`,
    ])
  })

  test('of another verdict stand above what follows them', () => {
    const deny: Rule = { ...allow('d', 80, list('set:x', '192.0.2.1/32')), verdict: 'deny' }
    const reject: Rule = { ...allow('e', 81, list('set:y', '192.0.2.2/32')), verdict: 'reject' }
    expect(
      inbound(
        render([nic(first, [allow('a', 79, list('set:z', '192.0.2.3/32')), deny, reject, allow('b', 80)])]),
      ),
    ).toEqual([
      `120,tcp,reg5="${first}",nw_src=192.0.2.3,tp_dst=79 → a`,
      `110,tcp,reg5="${first}",nw_src=192.0.2.1,tp_dst=80 → d`,
      `110,tcp,reg5="${first}",nw_src=192.0.2.2,tp_dst=81 → e`,
      `100,tcp,reg5="${first}",tp_dst=80 → b`,
      `100,tcp6,reg5="${first}",tp_dst=80 → b`,
    ])
  })

  test('that match the same are decided by the first', () => {
    expect(
      inbound(render([nic(first, [allow('a', 80), allow('b', 80)])])).map((line) => line.at(-1)),
    ).toEqual(['a', 'a'])
  })

  test('say nothing of a family in which their list is empty', () => {
    expect(
      inbound(
        render([nic(first, [allow('a', 80, list('set:x')), allow('b', 80, list('set:y', '2001:db8::/32'))])]),
      ),
    ).toEqual([`100,tcp6,reg5="${first}",ipv6_src=2001:db8::/32,tp_dst=80 → b`])
  })

  test('match a range of ports in as few masks as it takes', () => {
    const range: Rule = {
      ...allow('a', 1),
      services: [{ protocol: 'tcp', ports: [{ first: 1024, last: 65535 }], sourcePorts: [] }],
    }
    expect(inbound(render([nic(first, [range])])).filter((line) => line.includes(',tcp,'))).toHaveLength(6)
    const all: Rule = {
      ...allow('a', 1),
      services: [{ protocol: 'tcp', ports: [{ first: 0, last: 65535 }], sourcePorts: [] }],
    }
    expect(inbound(render([nic(first, [all])]))).toEqual([
      `100,tcp,reg5="${first}" → a`,
      `100,tcp6,reg5="${first}" → a`,
    ])
  })
})

describe('lists', () => {
  const members = Array.from({ length: 100 }, (_, index) => `10.1.0.${index * 2 + 1}/32`)

  test('cost the sum of members and rules, once for all NICs', () => {
    const big = list('group:app', ...members)
    const rules = [allow('a', 80, big), allow('b', 443, big), allow('c', 22, big)]
    const empty = render([nic(first, []), nic(second, [])]).size
    expect(render([nic(first, rules), nic(second, rules)]).size - empty).toBe(100 + 3 + 3)
  })

  test('keep their bit when another list appears, so that only its own members are written', () => {
    const one = allow('a', 80, list('group:app', '10.1.0.1/32', '10.1.0.3/32'))
    const two = allow('b', 81, list('group:new', '10.2.0.1/32', '10.2.0.3/32'))
    const changes = diffState(render([nic(first, [one])]), render([nic(first, [one, two])]))
    expect(changes.map(({ op, key }) => `${op} ${key.replace(/reg1?\d=0x\S+?,/, '')}`).sort()).toEqual([
      'add br0 table=22 priority=132,ip,nw_src=10.2.0.1',
      'add br0 table=22 priority=132,ip,nw_src=10.2.0.3',
      `add br0 table=23 priority=100,tcp,reg5="${first}",tp_dst=81`,
    ])
  })

  test('are 256 at most in one direction, and one more is refused by name of the limit', () => {
    const rules = (count: number) =>
      Array.from({ length: count }, (_, index) =>
        allow('a', index, list(`set:${index}`, '10.0.0.1/32', `10.0.${index % 200}.9/32`)),
      )
    const state = render([nic(first, rules(256))])
    const bits = new Set([...state.keys()].flatMap((key) => /reg(?:8|9|1\d)=\S+?(?=,)/.exec(key)?.[0] ?? []))
    expect(bits.size).toBe(256)
    expect(() => render([nic(first, rules(257))])).toThrow('256 address lists')
  })
})

describe('a bridge', () => {
  const facts = (ports: Readonly<Record<string, string>>): HostFacts => ({
    ...assumedFacts(hostModel([], [bridge])),
    ovsPorts: new Map(
      Object.entries(ports).map(([name, type], index) => [name, { bridge: 'br0', ofport: index + 1, type }]),
    ),
  })
  const arriving = (state: State) => state.get('br0 table=10 priority=100')?.split('actions=')[1]
  const leaving = (state: State) => state.get('br0 table=19 priority=100,reg6=0x4001')?.split('actions=')[1]

  test('without declared uplinks takes its physical and fabric ports for them, and no guest of others', () => {
    const host = hostModel([nic(first, [])], [{ ...bridge, uplinks: [], unmanaged: 'drop' }])
    const ports = {
      [first]: '',
      eth0: '',
      bond0: 'system',
      'to-br-ex': 'patch',
      vx1: 'vxlan',
      tap999i0: '',
      vnet3: 'system',
      mgmt: 'internal',
    }
    const state = ovs.desired(host, facts(ports))
    // Whoever asks for the hypervisor's MAC is not answered here: the host does not tell it, so LOCAL gets what goes away.
    expect(leaving(state)).toBe('output:"bond0",output:"eth0",output:"to-br-ex",output:"vx1",LOCAL')
  })

  test('leaves unmanaged ports among themselves and the outside, or cuts them off', () => {
    const ports = { [first]: '', uplink0: '', tap999i0: '' }
    const open = ovs.desired(hostModel([nic(first, [])], [bridge]), facts(ports))
    expect(arriving(open)).toBe('output:"uplink0",output:"tap999i0",LOCAL')
    const cut = ovs.desired(hostModel([nic(first, [])], [{ ...bridge, unmanaged: 'drop' }]), facts(ports))
    expect(arriving(cut)).toBe('output:"uplink0",LOCAL')
    expect([...cut].flat().join('\n')).not.toContain('tap999i0')
  })

  test('gives a MAC that two guests may use to both, through the rules of each', () => {
    const floating = { mac: '00:00:5e:00:01:07' as Mac, prefix: '10.0.0.100/32' as Prefix }
    const shared = (port: string) => nic(port, [], { sources: [...nic(port, []).sources, floating] })
    const state = render([shared(first), shared(second)])
    expect(state.get('br0 table=18 priority=200,reg6=0x4001,dl_dst=00:00:5e:00:01:07')).toMatch(
      `set_field:"${first}"->reg5,resubmit(,20),set_field:"${second}"->reg5,resubmit(,20)`,
    )
  })

  test('that is not ours, not there, or no Open vSwitch has no flows', () => {
    const host = hostModel([nic(first, [])], [{ ...bridge, datapath: 'linux' }])
    expect(ovs.desired(host, facts({})).size).toBe(0)
    expect(ovs.desired(hostModel([], [bridge]), { ...facts({}), ovsBridges: new Map() }).size).toBe(0)
  })

  test('carries a canary that no frame meets', () => {
    expect(render([]).get('br0 table=25 priority=0')).toBe('cookie=0x6777000000000001,actions=drop')
    expect([...render([nic(first, [])]).values()].join('\n')).not.toMatch(/\(,25\)|table=25/)
  })

  test('costs few flows for each further guest', () => {
    const web = (port: string) =>
      nic(port, [allow('a', 80), allow('b', 443), allow('c', 22, list('set:x', '192.0.2.0/24'))], {
        outbound: { kind: 'filtered', rules: [{ ...allow('d', 1), services: [{ protocol: 'any' }] }] },
      })
    const further = render([web(first), web(second)]).size - render([web(first)]).size
    // By table: classify 1, arrive 1, outBase 5, outNeighbour 4, outSource 5, outRules 1, deliver 1, inRules 5.
    expect(further).toBe(23)
  })
})
