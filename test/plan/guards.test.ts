import { describe, expect, test } from 'vitest'
import { assumedFacts } from '../../src/kernel/assumed-facts.ts'
import type { HostFacts } from '../../src/kernel/facts.ts'
import { guardHost, warnHost } from '../../src/plan/guards.ts'
import { compileSmall, hostOf } from '../fixtures.ts'

const hostFirewall = (rule: string) => `firewalls: { hv: { protects: hypervisors, inbound: [${rule}] } }`

/** A host as the inventory describes it, healthy, asked over SSH from inside the management network. */
function healthy(compiled: ReturnType<typeof compileSmall>, name: string): HostFacts {
  const assumed = assumedFacts(hostOf(compiled, name))
  return {
    ...assumed,
    sshSource: '192.0.2.1',
    sshDestination: '192.0.2.11',
    sshPort: 22,
    tools: new Set(['ovs-ofctl', 'ovs-vsctl', 'nft', 'iptables-restore', 'ip6tables-restore', 'ipset']),
    links: new Map([...assumed.links, ['vmbr0', {}]]),
    sysctls: new Map([
      ['net.bridge.bridge-nf-call-iptables', '1'],
      ['net.bridge.bridge-nf-call-ip6tables', '1'],
    ]),
  }
}

function refusals(policies: string, name: string, change: Partial<HostFacts> = {}): readonly string[] {
  const compiled = compileSmall(policies)
  return guardHost(compiled.model, hostOf(compiled, name), { ...healthy(compiled, name), ...change })
}

describe('a host is refused', () => {
  test.each(['hv-1', 'hv-2'])('never when %s is healthy', (name) => {
    expect(refusals(hostFirewall(''), name)).toEqual([])
  })

  test('when the policy denies our own SSH', () => {
    const [refusal] = refusals(hostFirewall(''), 'hv-1', { sshSource: '203.0.113.9' })
    expect(refusal).toContain('would lock us out: SSH from 203.0.113.9 to port 22')
  })

  test('not when a rule allows it, nor when the host has no firewall of its own', () => {
    const from = { sshSource: '203.0.113.9' }
    expect(refusals(hostFirewall('{ name: ssh, allow: ssh, from: 203.0.113.9 }'), 'hv-1', from)).toEqual([])
    expect(refusals('sets: {}', 'hv-1', from)).toEqual([])
  })

  test('when our SSH comes in on another port than the floor keeps open', () => {
    const [refusal] = refusals(hostFirewall(''), 'hv-1', { sshPort: 2222 })
    expect(refusal).toContain('port 2222')
  })

  test('when it has a firewall and does not tell where we come from', () => {
    expect(
      refusals(hostFirewall(''), 'hv-1', { sshSource: '', sshDestination: '', sshPort: 0 }),
    ).toHaveLength(1)
  })

  test('when tools are missing, by name', () => {
    expect(refusals('sets: {}', 'hv-1', { tools: new Set(['ovs-vsctl']) })).toEqual([
      'the host lacks ovs-ofctl: install the packages that provide them',
    ])
    expect(refusals('sets: {}', 'hv-2', { tools: new Set(['nft', 'ipset']) })[0]).toContain(
      'iptables-restore, ip6tables-restore',
    )
  })

  test('when a bridge or an uplink is not there', () => {
    expect(refusals('sets: {}', 'hv-1', { ovsBridges: new Map() })[0]).toContain(
      'no Open vSwitch bridge "br0"',
    )
    expect(refusals('sets: {}', 'hv-2', { links: new Map() })[0]).toContain('no Linux bridge "vmbr0"')
    expect(refusals('sets: {}', 'hv-1', { ovsPorts: new Map() })[0]).toContain(
      'uplink "uplink0" is not a port of bridge "br0"',
    )
  })

  test('when ports are there that explicit outputs would serve wrongly', () => {
    const port = { bridge: 'br0', ofport: 9, type: 'system' }
    const withPorts = (...ports: readonly HostFacts['ovsPorts'][]) => ({
      ovsPorts: new Map([
        ...healthy(compileSmall('sets: {}'), 'hv-1').ovsPorts,
        ...ports.flatMap((map) => [...map]),
      ]),
    })
    const bond = new Map(
      ['eth1', 'eth2'].map((name, index) => [name, { ...port, ofport: 9 + index, isBonded: true as const }]),
    )
    expect(refusals('sets: {}', 'hv-1', withPorts(bond))[0]).toContain(
      'eth1, eth2 on bridge "br0" are one Open vSwitch bond',
    )
    expect(refusals('sets: {}', 'hv-1', withPorts(new Map([['vnet7', { ...port, tag: 7 }]])))[0]).toContain(
      'have a VLAN tag',
    )
    expect(refusals('sets: {}', 'hv-1', withPorts(new Map([['tap101i0', { ...port, tag: 7 }]])))).toEqual([])
  })

  test('when bridged packets bypass iptables, and is called UNPROTECTED', () => {
    const sysctls = new Map([['net.bridge.bridge-nf-call-iptables', '0']])
    expect(refusals('sets: {}', 'hv-2', { sysctls }).map((text) => text.slice(0, 60))).toEqual([
      'UNPROTECTED: net.bridge.bridge-nf-call-iptables is 0: bridge',
      'UNPROTECTED: net.bridge.bridge-nf-call-ip6tables is absent (',
    ])
  })
})

test('a bridge that opens at a restart, and one with a controller, are warned of', () => {
  const compiled = compileSmall('sets: {}')
  const facts = healthy(compiled, 'hv-1')
  expect(warnHost(hostOf(compiled, 'hv-1'), facts)).toEqual([])
  const ovsBridges = new Map([['br0', { failMode: 'standalone', datapathType: 'system', controllers: 1 }]])
  expect(warnHost(hostOf(compiled, 'hv-1'), { ...facts, ovsBridges })).toHaveLength(2)
})
