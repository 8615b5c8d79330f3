import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Writes a repository of a large fleet into a directory, the same bytes every time: `tsx bench/fleet.ts DIR [HOSTS [FIREWALLS]]`.
 * Ten guests per host, twenty rules per guest, one test per ten guests. FIREWALLS: `shared` (default: one firewall per
 * application of 100 guests) or `own` (one per guest, so that no two guests have the same rules).
 */
const [directory, hostsText = '1000', firewallsOf = 'shared'] = process.argv.slice(2)
const hosts = Number(hostsText)
const guestsPerHost = 10
const guestsPerApplication = 100
const isUsage = directory !== undefined && Number.isSafeInteger(hosts) && hosts >= 10 && hosts <= 2000
if (!isUsage || !['shared', 'own'].includes(firewallsOf)) {
  process.stderr.write('usage: tsx bench/fleet.ts DIR [HOSTS (10-2000) [shared|own]]\n')
  process.exit(1)
}

const guests = hosts * guestsPerHost
const applications = guests / guestsPerApplication
const numbers = (count: number) => [...Array(count).keys()]

write('inventory/hosts.yaml', inventoryOfHosts())
for (const application of numbers(applications)) {
  write(`inventory/app-${application}.yaml`, inventoryOfApplication(application))
  write(`policies/app-${application}.yaml`, policyOfApplication(application))
}
write('policies/common.yaml', commonPolicy())
write('policies/tests.yaml', policyTests())

function write(path: string, text: string): void {
  const file = join(directory ?? '', path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

function inventoryOfHosts(): string {
  const networks = numbers(applications).map(
    (application) =>
      `      net-${application}: { subnets: [${subnet(application)}, "${subnet6(application)}"], gateways: [${address(application, 1)}] }`,
  )
  const hypervisors = numbers(hosts).map((host) => {
    const bridge = `${bridgeOf(host)}: { datapath: ${host % 2 === 0 ? 'ovs' : 'linux'}, uplinks: [eth0] }`
    return `        hv-${host}: { ansible_host: ${management(host)}, gitwall: { bridges: { ${bridge} } } }`
  })
  return `all:
  vars:
    gitwall_management: [172.31.0.0/16]
    gitwall_networks:
${networks.join('\n')}
  children:
    hypervisors:
      hosts:
${hypervisors.join('\n')}
`
}

function inventoryOfApplication(application: number): string {
  const lines = numbers(guestsPerApplication).map((index) => {
    const guest = application * guestsPerApplication + index
    const host = guest % hosts
    const mac = `52:54:00:${hex(guest >> 16)}:${hex((guest >> 8) & 255)}:${hex(guest & 255)}`
    const addresses = `[${address(application, index + 10)}, "${address6(application, index + 10)}"]`
    const nic = `{ port: tap${guest}i0, bridge: ${bridgeOf(host)}, network: net-${application}, mac: "${mac}", addresses: ${addresses} }`
    return `            vm-${guest}: { gitwall: { host: hv-${host}, nics: [${nic}] } }`
  })
  return `all:
  children:
    guests:
      children:
        app-${application}:
          hosts:
${lines.join('\n')}
`
}

/** Sixteen rules; four more come from the common firewall. */
function policyOfApplication(application: number): string {
  const names =
    firewallsOf === 'shared'
      ? [`app-${application}`]
      : numbers(guestsPerApplication).map((index) => `vm-${application * guestsPerApplication + index}`)
  return `firewalls:\n${names.map((name, index) => firewall(name, application, index)).join('')}`
}

function firewall(name: string, application: number, index: number): string {
  const [before, after] = [(application + applications - 1) % applications, (application + 1) % applications]
  return `  ${name}:
    protects: ${name}
    inbound:
      - { name: not them, deny: any, from: set:blocked }
      - { name: public, allow: [http, https], from: any }
      - { name: api, allow: tcp/${9000 + index}, from: group:app-${before} }
      - { name: batch, allow: [tcp/10000-10999, udp/10000], from: [group:app-${after}, set:batch] }
      - { name: peers, allow: tcp/7000-7010, from: group:app-${application} }
      - { name: partners, allow: tcp/8443, from: set:partners-${application % 20} }
      - { name: database, allow: tcp/5432, from: [set:batch, set:partners-${(application + 7) % 20}] }
      - { name: legacy, reject: tcp/23, from: any }
      - { name: queue, allow: tcp/5672, from: group:app-${(application + 3) % applications} }
      - { name: stats, allow: udp/8125, from: group:app-${(application + 5) % applications} }
    outbound:
      - { name: to api, allow: tcp/9000-9099, to: group:app-${after} }
      - { name: to peers, allow: tcp/7000-7010, to: group:app-${application} }
      - { name: to queue, allow: tcp/5672, to: group:app-${(application + applications - 3) % applications} }
      - { name: to stats, allow: udp/8125, to: group:app-${(application + applications - 5) % applications} }
      - { name: no mail, reject: tcp/25, to: any }
      - { name: to web, allow: [http, https], to: any }
`
}

function commonPolicy(): string {
  const partners = numbers(20).map((set) => {
    const prefixes = numbers(50).map(
      (index) => `198.${18 + (set % 2)}.${set * 10 + (index % 10)}.${index * 4}/30`,
    )
    return `  partners-${set}: [${prefixes.join(', ')}, "2001:db8:${hex(set)}00::/48"]`
  })
  return `sets:
  office: [203.0.113.0/24, "2001:db8:ff::/48"]
  blocked: [192.0.2.0/25, "2001:db8:bad::/48"]
  batch: [192.0.2.128/26, 192.0.2.200]
  monitoring: [172.31.255.0/24]
${partners.join('\n')}
firewalls:
  everyone:
    protects: guests
    order: 200
    inbound:
      - { name: ssh, allow: ssh, from: set:office }
      - { name: metrics, allow: tcp/9100, from: set:monitoring }
      - { name: ping, allow: ping, from: any }
    outbound:
      - { name: names and time, allow: [dns, ntp], to: any }
  hypervisors:
    protects: hypervisors
    inbound:
      - { name: ssh, allow: ssh, from: set:office }
      - { name: metrics, allow: tcp/9100, from: set:monitoring }
`
}

function policyTests(): string {
  const tests = numbers(guests / 10).map((test) => {
    const application = test % applications
    const guest = `guest:vm-${application * guestsPerApplication + (test % guestsPerApplication)}`
    switch (test % 4) {
      case 0:
        return `{ name: test ${test}, from: 203.0.113.9, to: ${guest}, port: tcp/443, expect: allow }`
      case 1:
        return `{ name: test ${test}, from: group:app-${application}, to: group:app-${application}, port: tcp/7005, expect: allow }`
      case 2:
        return `{ name: test ${test}, from: set:blocked, to: group:app-${application}, port: tcp/443, expect: deny }`
      default:
        return `{ name: test ${test}, from: ${guest}, to: 203.0.113.25, port: tcp/25, expect: deny }`
    }
  })
  return `tests:\n${tests.map((test) => `  - ${test}\n`).join('')}`
}

function subnet(application: number): string {
  return `${address(application, 0)}/24`
}

function subnet6(application: number): string {
  return `${address6(application, 0).replace(/::0$/, '::')}/64`
}

function address(application: number, index: number): string {
  return `10.${application >> 8}.${application & 255}.${index}`
}

function address6(application: number, index: number): string {
  return `2001:db8:1:${(application + 1).toString(16)}::${index.toString(16)}`
}

function management(host: number): string {
  return `172.31.${host >> 8}.${host & 255}`
}

function bridgeOf(host: number): string {
  return host % 2 === 0 ? 'br0' : 'vmbr0'
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}
