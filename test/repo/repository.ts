import { loadRepo } from '../../src/repo/load.ts'
import { type Problem, formatSource } from '../../src/repo/problem.ts'
import type { Repo } from '../../src/repo/repo.ts'

/** A small fleet to write policies for: hypervisors hv-1 (ovs) and hv-2 (linux), guests web-1, web-2, app-1. */
export const fleet = `
all:
  vars:
    gitwall_networks: { lan: { subnets: [10.0.0.0/24, "2001:db8::/64"], gateways: [10.0.0.1] } }
  children:
    hypervisors:
      hosts:
        hv-1: { gitwall: { bridges: { br0: { datapath: ovs } } } }
        hv-2: { gitwall: { bridges: { vmbr0: { datapath: linux } } } }
    web:
      hosts:
        web-1: { gitwall: { host: hv-1, nics: [{ port: tap1, bridge: br0, network: lan, mac: "52:54:00:00:00:01", addresses: [10.0.0.11] }] } }
        web-2: { gitwall: { host: hv-1, nics: [{ port: tap2, bridge: br0, network: lan, mac: "52:54:00:00:00:02", addresses: [10.0.0.12] }] } }
    app:
      hosts:
        app-1: { gitwall: { host: hv-2, nics: [{ port: tap3, bridge: vmbr0, network: lan, mac: "52:54:00:00:00:03", addresses: [10.0.0.21] }] } }
`

/** A policy without mistakes. */
export const policy = `
firewalls:
  web: { protects: web, inbound: [{ allow: https, from: any }] }
`

export function load(files: Readonly<Record<string, string>>): { repo: Repo; problems: readonly Problem[] } {
  const { repo, problems } = loadRepo(new Map(Object.entries(files)))
  return { repo, problems }
}

/** Loads `text` as the only policy of the fleet above. */
export function loadPolicy(text: string): { repo: Repo; problems: readonly Problem[] } {
  return load({ 'inventory/hosts.yaml': fleet, 'policies/p.yaml': text })
}

/** `policies/p.yaml:3:5 unknown-key`. */
export function lines(problems: readonly Problem[]): readonly string[] {
  return problems.map((problem) => `${formatSource(problem.at)} ${problem.code}`)
}

/** Text with the place of an expected mistake marked by ▸, which stands right before it. */
export function marked(text: string): { readonly text: string; readonly place: string } {
  const before = text.slice(0, text.indexOf('▸')).split('\n')
  return { text: text.replace('▸', ''), place: `${before.length}:${(before.at(-1) ?? '').length + 1}` }
}
