import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Capture } from '../../../src/meaning/capture.ts'
import type { Tracking } from '../../../src/meaning/frame.ts'
import { type Assumptions, compileNetfilter } from '../../../src/meaning/netfilter/netfilter.ts'
import { parseSave } from '../../../src/meaning/netfilter/iptables/save.ts'
import { readRule } from '../../../src/meaning/netfilter/iptables/words.ts'
import { packetFrame } from './frame.ts'
import { nftTable } from './random-nft.ts'
import { ruleset4 } from './random-rules.ts'
import { arpFrame, discoveryFrame, ipFrame, otherFrame } from './shots.ts'

const folder = join(import.meta.dirname, 'recorded')

/** Rules as the named software makes them, loaded with iptables-legacy 1.8.9 and saved with counters. */
function recorded(name: string): Capture {
  const sets = readdirSync(folder).includes(`${name}.ipset`)
    ? readFileSync(join(folder, `${name}.ipset`), 'utf8')
    : ''
  const iptables = readFileSync(join(folder, `${name}.iptables`), 'utf8')
  return { flows: new Map(), ports: new Map(), iptables, ip6tables: '', ipset: sets, nft: '' }
}

/** `from>to protocol/port`, or `… icmp/type`, of a new connection unless said otherwise. */
function through(
  name: string,
  ports: readonly [string, string],
  packet: string,
  tracking: Tracking = 'new',
  assumptions: Assumptions = {},
): string {
  const [inPort, outPort] = ports
  const question = { inPort, outPort, bridge: 'vmbr0', frame: packetFrame(packet), tracking }
  return ending(compileNetfilter(recorded(name), assumptions).simulateForward(question))
}

function toHost(name: string, packet: string, inInterface = 'vmbr0'): string {
  return ending(
    compileNetfilter(recorded(name)).simulateInput({
      inInterface,
      frame: packetFrame(packet),
      tracking: 'new',
    }),
  )
}

function ending({ ends }: ReturnType<ReturnType<typeof compileNetfilter>['simulateForward']>): string {
  const [end] = ends
  if (end === undefined) return 'no end'
  return end.kind === 'unknown' ? `unknown: ${end.why}` : end.kind
}

describe('rules that others made', () => {
  test('are read to the last line', () => {
    for (const name of ['docker', 'ferm', 'libvirt', 'neutron', 'proxmox']) {
      const { iptables } = recorded(name)
      const rules = parseSave(iptables).flatMap(({ chains }) =>
        [...chains.values()].flatMap((chain) => chain.rules),
      )
      expect(rules).toHaveLength(iptables.split('\n').filter((line) => / -A /.test(line)).length)
      for (const rule of rules) expect(readRule(rule.replace(/^-A \S+ ?/, ''))).toBeDefined()
    }
  })

  test('of Docker drop what is bridged elsewhere, by the policy of FORWARD', () => {
    expect(through('docker', ['tap1', 'tap2'], '10.0.0.11>10.0.0.12 tcp/443')).toBe('drop')
    expect(through('docker', ['tap1', 'tap2'], '10.0.0.11>172.17.0.2 tcp/80', 'reply')).toBe('drop')
  })

  test('of Docker may translate what goes to an address of the host, and nobody knows those', () => {
    const unsure = "unknown: whether the address is the host's own"
    expect(through('docker', ['tap1', 'tap2'], '10.0.0.11>10.0.0.13 tcp/8080')).toBe(unsure)
    const own = { ownAddresses: ['10.0.0.254/24'] }
    expect(through('docker', ['tap1', 'tap2'], '10.0.0.11>10.0.0.13 tcp/8080', 'new', own)).toBe('drop')
    expect(through('docker', ['tap1', 'tap2'], '10.0.0.11>10.0.0.254 tcp/8080', 'new', own)).toBe(
      'unknown: NAT makes another packet of it',
    )
    expect(toHost('docker', '10.0.0.11>10.0.0.254 tcp/22')).toBe('accept')
  })

  test('of Proxmox VE let in what the group and the guest allow', () => {
    const way = ['fwln100i0', 'tap100i0'] as const
    const own = { ownAddresses: ['192.0.2.10/24'] }
    // A flood is counted by time, so a SYN may be dropped: the rest of the rules is seen without it.
    expect(through('proxmox', way, '203.0.113.9>10.0.0.11 tcp/443')).toMatch(
      /^unknown: -m hashlimit --hashlimit-above 200\/sec/,
    )
    expect(through('proxmox', way, '203.0.113.9>10.0.0.11 udp/443', 'new', own)).toBe('drop')
    expect(through('proxmox', way, '198.51.100.7>10.0.0.11 udp/68', 'new', own)).toBe('drop')
    expect(through('proxmox', way, '203.0.113.9>10.0.0.11 udp/68<67', 'new', own)).toBe('accept')
    expect(through('proxmox', way, '203.0.113.9>10.0.0.11 tcp/443/ack', 'request')).toBe('accept')
    expect(through('proxmox', way, '203.0.113.9>10.0.0.11 tcp/443/ack', 'invalid')).toBe('drop')
    expect(through('proxmox', way, '203.0.113.9>10.0.0.11 tcp/443/ack', 'new', own)).toBe('accept')
    expect(through('proxmox', way, '203.0.113.9>10.0.0.11 tcp/23/ack', 'new', own)).toBe('reject')
    expect(through('proxmox', way, '203.0.113.9>10.0.0.11 tcp/25/ack', 'new', own)).toBe('drop')
  })

  test('of Proxmox VE hold a guest to its address, and mark what it may send', () => {
    const way = ['tap100i0', 'fwln100i0'] as const
    expect(through('proxmox', way, '10.0.0.11>203.0.113.9 udp/53')).toBe('accept')
    expect(through('proxmox', way, '10.0.0.12>203.0.113.9 udp/53')).toBe('drop')
    expect(through('proxmox', way, '0.0.0.0>255.255.255.255 udp/67<68')).toBe('accept')
  })

  test('of Neutron return what is allowed to the chain that accepts, and drop the rest', () => {
    const [tap, qvb] = ['tap01234567-89', 'qvb01234567-89']
    expect(through('neutron', [qvb, tap], '203.0.113.9>10.0.0.11 tcp/22')).toBe('accept')
    expect(through('neutron', [qvb, tap], '203.0.113.9>10.0.0.11 tcp/23')).toBe('drop')
    expect(through('neutron', [qvb, tap], '10.0.0.12>10.0.0.11 tcp/23')).toBe('accept')
    expect(through('neutron', [qvb, tap], '203.0.113.9>10.0.0.11 tcp/23', 'reply')).toBe('accept')
    expect(through('neutron', [tap, qvb], '10.0.0.11>203.0.113.9 tcp/23')).toBe('accept')
    expect(through('neutron', [tap, qvb], '10.0.0.13>203.0.113.9 tcp/23')).toBe('drop')
    expect(through('neutron', [tap, qvb], '10.0.0.11>203.0.113.9 udp/68<67')).toBe('drop')
  })

  test('of libvirt say nothing of other bridges', () => {
    expect(through('libvirt', ['tap1', 'tap2'], '10.0.0.11>10.0.0.12 tcp/443')).toBe('accept')
    expect(toHost('libvirt', '192.168.122.5>192.168.122.1 udp/53', 'virbr0')).toBe('accept')
  })

  test('with rates and clocks are known where these do not decide, and only there', () => {
    expect(toHost('ferm', '10.0.0.11>10.0.0.254 tcp/80')).toBe('accept')
    expect(toHost('ferm', '10.0.0.11>10.0.0.254 icmp/8')).toBe('unknown: -m limit --limit 5/sec')
    expect(toHost('ferm', '10.0.0.11>10.0.0.254 icmp/3')).toBe('drop')
    expect(toHost('ferm', '10.0.0.11>10.0.0.254 tcp/22')).toMatch(/^unknown: -m recent --update/)
    expect(toHost('ferm', '10.0.0.11>10.0.0.254 udp/123')).toMatch(/^unknown: -m time/)
    expect(through('ferm', ['tap1', 'tap2'], '10.0.0.11>10.0.0.12 tcp/443')).toBe('accept')
    expect(through('ferm', ['tap1', 'tap2'], '10.0.0.11>10.0.0.12 tcp/443/ack')).toBe('drop')
    expect(through('ferm', ['tap1', 'tap2'], '10.0.0.11>10.0.0.12 udp/53')).toBe(
      'unknown: -m statistic --mode random --probability 0.50000000000',
    )
    expect(through('ferm', ['tap1', 'tap2'], '10.0.0.11>10.0.0.12 udp/54')).toBe('drop')
  })
})

describe('a text that somebody broke', () => {
  const words = fc.constantFrom(
    '-A FORWARD',
    '-j',
    '-g',
    '!',
    '"',
    '{',
    '}',
    '--match-set',
    '*filter',
    'COMMIT',
    'vmap',
    'jump',
    '@x',
    '/',
    ':',
    '\n',
    'accept',
    '-m set',
    '@th,9999,9999',
    'elements =',
    '0x',
    '\0',
  )
  const texts = fc.oneof(
    fc.constantFrom('docker', 'ferm', 'libvirt', 'neutron', 'proxmox').map((name) => recorded(name).iptables),
    fc.oneof(nftTable('bridge'), nftTable('inet')),
    ruleset4({ hook: 'FORWARD', hasState: true }),
  )
  const broken = fc
    .tuple(texts, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 40 }), words), { minLength: 1, maxLength: 8 }))
    .map(([text, cuts]) =>
      cuts.reduce((now, [at, length, word]) => {
        const start = at % (now.length + 1)
        return now.slice(0, start) + word + now.slice(start + length)
      }, text),
    )
  const frame = fc.oneof(
    ipFrame({ hasFragments: true, hasFlags: true }),
    arpFrame,
    discoveryFrame,
    otherFrame,
  )

  test('is read without an exception, and every packet has one end', () => {
    fc.assert(
      fc.property(broken, broken, fc.array(frame, { minLength: 3, maxLength: 3 }), (one, other, frames) => {
        const netfilter = compileNetfilter({
          flows: new Map(),
          ports: new Map(),
          iptables: one,
          ip6tables: one,
          ipset: other,
          nft: other.includes('table') ? other : one,
        })
        for (const each of frames) {
          const arrival = { frame: each, tracking: 'new' as const }
          expect(
            netfilter.simulateForward({ ...arrival, inPort: 'tapa', outPort: 'tapb', bridge: 'vmbr0' }).ends,
          ).toHaveLength(1)
          expect(
            netfilter.simulateInput({ ...arrival, inInterface: 'vmbr0', inPort: 'tapa' }).ends,
          ).toHaveLength(1)
          expect(netfilter.simulateOutput({ ...arrival, outInterface: 'vmbr0' }).ends).toHaveLength(1)
        }
      }),
      { numRuns: 300 },
    )
  })
})
