import type { HostFacts } from '../kernel/facts.ts'
import { judge } from '../meaning/policy.ts'
import type { HostModel, Model } from '../model/model.ts'
import { parseAddress } from '../net/address.ts'

/**
 * Why this host must not be written to, each `what: what to do`; empty when nothing speaks against it. Judged on what the host
 * told us and on the desired policy, before the first write.
 */
export function guardHost(model: Model, host: HostModel, facts: HostFacts): readonly string[] {
  const tools = missingTools(host, facts)
  // Without its tools a host cannot say what bridges it has.
  return [
    ...lockOut(model, host, facts),
    ...tools,
    ...(tools.length === 0 ? missingPorts(host, facts) : []),
    ...unlikePorts(host, facts),
    ...unprotected(host, facts),
  ]
}

/** Our own next SSH connection, as the host sees it, must pass the policy that we are about to install. */
function lockOut(model: Model, host: HostModel, facts: HostFacts): readonly string[] {
  const source = parseAddress(facts.sshSource)
  const destination = parseAddress(facts.sshDestination)
  if (source === undefined || destination === undefined) {
    return host.own.inbound.kind === 'unfiltered'
      ? []
      : [
          'the host does not tell where our SSH connection comes from: connect over SSH, so that a lock-out can be excluded',
        ]
  }
  const here = { ...host, connection: { ...host.connection, host: destination } }
  const fleet = { ...model, hosts: model.hosts.map((other) => (other.name === host.name ? here : other)) }
  const { verdict } = judge(fleet, { source, destination, protocol: 6, destinationPort: facts.sshPort })
  return verdict === 'allow'
    ? []
    : [
        `this policy would lock us out: SSH from ${source} to port ${facts.sshPort} is denied: ` +
          'add the source to "gitwall_management", or an allow rule to the host\'s firewall',
      ]
}

function missingTools(host: HostModel, facts: HostFacts): readonly string[] {
  const needs = (datapath: 'ovs' | 'linux') => host.bridges.some((bridge) => bridge.datapath === datapath)
  const isFiltered = host.own.inbound.kind === 'filtered' || host.own.outbound.kind === 'filtered'
  const wanted = [
    ...(needs('ovs') ? ['ovs-ofctl', 'ovs-vsctl'] : []),
    ...(needs('linux') ? ['nft'] : []),
    ...(needs('linux') || isFiltered ? ['iptables-restore', 'ip6tables-restore', 'ipset'] : []),
  ]
  const missing = wanted.filter((tool) => !facts.tools.has(tool))
  return missing.length === 0
    ? []
    : [`the host lacks ${missing.join(', ')}: install the packages that provide them`]
}

/** A bridge or a declared uplink that is not there: rules for it would cut every guest off, or filter nothing. */
function missingPorts(host: HostModel, facts: HostFacts): readonly string[] {
  return host.bridges.flatMap(({ name, datapath, uplinks }) => {
    const exists = datapath === 'ovs' ? facts.ovsBridges.has(name) : facts.links.has(name)
    if (!exists)
      return [
        `the host has no ${datapath === 'ovs' ? 'Open vSwitch' : 'Linux'} bridge "${name}": create it, or correct "bridges"`,
      ]
    const bridgeOf = (port: string) =>
      datapath === 'ovs' ? facts.ovsPorts.get(port)?.bridge : facts.links.get(port)?.bridge
    return uplinks
      .filter((port) => bridgeOf(port) !== name)
      .map((port) => `uplink "${port}" is not a port of bridge "${name}": correct "uplinks", or add the port`)
  })
}

/** Ports that our explicit outputs would serve wrongly: NORMAL alone knows bonds and the VLANs of access ports. */
function unlikePorts(host: HostModel, facts: HostFacts): readonly string[] {
  const nicPorts = new Set(host.nics.map((nic) => nic.port))
  return host.bridges
    .filter((bridge) => bridge.datapath === 'ovs')
    .flatMap(({ name, unmanaged }) => {
      const others = [...facts.ovsPorts].filter(
        ([port, { bridge }]) => bridge === name && !nicPorts.has(port),
      )
      const bonded = others.filter(([, { isBonded }]) => isBonded === true).map(([port]) => port)
      const tagged = others
        .filter(([, { tag }]) => unmanaged === 'leave' && tag !== undefined)
        .map(([port]) => port)
      return [
        ...(bonded.length === 0
          ? []
          : [
              `${bonded.join(', ')} on bridge "${name}" are one Open vSwitch bond, which is not supported yet: use a bond of the kernel as the uplink`,
            ]),
        ...(tagged.length === 0
          ? []
          : [
              `${tagged.join(', ')} on bridge "${name}" have a VLAN tag and no inventory NIC: set "unmanaged: drop", or move them to another bridge`,
            ]),
      ]
    })
}

/** With these sysctls off, bridged packets never reach iptables: our rules would be there and filter nothing. One line for each. */
export function unprotected(host: HostModel, facts: HostFacts): readonly string[] {
  if (!host.bridges.some((bridge) => bridge.datapath === 'linux')) return []
  const off = ['net.bridge.bridge-nf-call-iptables', 'net.bridge.bridge-nf-call-ip6tables'].filter(
    (name) => facts.sysctls.get(name) !== '1',
  )
  return off.map(
    (name) =>
      `UNPROTECTED: ${name} is ${facts.sysctls.get(name) ?? 'absent (is br_netfilter loaded?)'}: bridged packets bypass iptables: ` +
      `run "modprobe br_netfilter && sysctl -w ${name}=1" and make it permanent in /etc/sysctl.d`,
  )
}

/** Things worth saying that do not stop a run. */
export function warnHost(host: HostModel, facts: HostFacts): readonly string[] {
  return host.bridges
    .filter((bridge) => bridge.datapath === 'ovs')
    .flatMap((bridge) => {
      const live = facts.ovsBridges.get(bridge.name)
      if (live === undefined) return []
      return [
        ...(live.failMode === 'secure'
          ? []
          : [
              `bridge ${bridge.name} has fail_mode "${live.failMode}": after a restart of ovs-vswitchd everything passes: ` +
                `run "ovs-vsctl set-fail-mode ${bridge.name} secure"`,
            ]),
        ...(live.controllers === 0
          ? []
          : [`bridge ${bridge.name} has a controller, which may write flows of its own`]),
      ]
    })
}
