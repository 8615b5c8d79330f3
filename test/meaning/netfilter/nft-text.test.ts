import { describe, expect, test } from 'vitest'
import type { Tracking } from '../../../src/meaning/frame.ts'
import { compileNetfilter } from '../../../src/meaning/netfilter/netfilter.ts'
import type { End } from '../../../src/meaning/simulation.ts'
import { packetFrame } from './frame.ts'

/** What becomes of TCP to port 22, bridged, under these rules of a chain whose policy is `drop`. */
function under(rules: readonly string[], family = 'inet', tracking: Tracking = 'new'): End | undefined {
  const text = `table ${family} t {
	chain forward {
		type filter hook forward priority filter; policy drop;
${rules.map((rule) => `\t\t${rule}\n`).join('')}	}
}
`
  const capture = { flows: new Map(), ports: new Map(), iptables: '', ip6tables: '', ipset: '', nft: text }
  return compileNetfilter(capture).simulateForward({
    inPort: 'tapa',
    outPort: 'tapb',
    bridge: 'vmbr0',
    frame: packetFrame('10.0.0.11>10.0.0.12 tcp/22'),
    tracking,
  }).ends[0]
}

function kindUnder(rules: readonly string[], family?: string, tracking?: Tracking): string | undefined {
  return under(rules, family, tracking)?.kind
}

describe('a rule of nft that is not understood', () => {
  test.each([
    'limit rate 10/minute burst 5 packets accept',
    'limit rate over 10 mbytes/second drop',
    'ct count over 20 reject',
    'fib daddr type local accept',
    'meta time "2024-01-01 00:00:00" accept',
    'meta skuid 0 accept',
    'ip dscp cs1 accept',
    'numgen random mod 2 vmap { 0 : accept, 1 : drop }',
    'jump {\n\t\t\tip saddr 1.1.1.1 drop\n\t\t}',
    'tcp dport 22 meter m1 size 65535 { ip saddr limit rate 1/second } accept',
    'update @seen { ip saddr limit rate over 3/minute } drop',
    'xt match physdev accept',
    'queue num 1 bypass',
    'something of tomorrow accept',
    'ip saddr vmap @nowhere',
  ])('makes the end unknown, naming the line: %s', (rule) => {
    const end = under([rule, 'accept'])
    expect(end).toMatchObject({ kind: 'unknown', by: { where: 'inet t forward', line: rule } })
  })

  test.each([
    ['it does not decide', 'limit rate 1/second log prefix "drop "'],
    ['it does not decide', 'something of tomorrow counter'],
    ['it changes what nobody looks at', 'tcp option maxseg size set rt mtu'],
    ['it changes what nobody looks at', 'meta priority set 1:2'],
    ['what is understood does not match', 'tcp dport 23 limit rate 1/second drop'],
    ['what is understood does not match', 'limit rate 1/second tcp dport 23 drop'],
    ['what is understood does not match', 'ip saddr 10.0.0.12 fib daddr type local drop'],
  ])('does not matter where %s: %s', (_, rule) => {
    expect(kindUnder([rule, 'accept'])).toBe('accept')
    expect(kindUnder([rule])).toBe('drop')
  })
})

describe('what nft says shortly', () => {
  test('an answer of TCP is for TCP only, of ICMP for IPv4 only', () => {
    expect(under(['reject with tcp reset'], 'ip')).toMatchObject({ kind: 'reject', how: 'tcp reset' })
    expect(kindUnder(['ip saddr 10.0.0.0/8 reject with tcp reset'])).toBe('reject')
    // `meta nfproto ipv6 reject with tcp reset` is printed like this, too, by nft 1.0.6.
    expect(kindUnder(['meta l4proto tcp reject with tcp reset'])).toBe('unknown')
    expect(kindUnder(['reject with icmpv6 admin-prohibited', 'accept'])).toBe('accept')
    expect(kindUnder(['reject with icmp admin-prohibited', 'accept'])).toBe('reject')
  })

  test('states may be listed, looked up, and excluded', () => {
    expect(kindUnder(['ct state established,related accept'], 'inet', 'reply')).toBe('accept')
    expect(
      kindUnder(
        ['ct state vmap { invalid : drop, established : accept, related : accept }'],
        'inet',
        'related',
      ),
    ).toBe('accept')
    expect(kindUnder(['ct state != established | related accept'], 'inet', 'new')).toBe('accept')
    expect(kindUnder(['ct state established ct direction reply accept'], 'inet', 'request')).toBe('drop')
    expect(kindUnder(['ct mark 0x00000005 accept'], 'inet', 'new')).toBe('drop')
    expect(kindUnder(['ct mark 0x00000005 accept'], 'inet', 'request')).toBe('unknown')
    expect(kindUnder(['ct mark 0x00000005 accept', 'accept'], 'inet', 'invalid')).toBe('accept')
  })

  test('in the bridge family devices are ports, in others they are bridges', () => {
    expect(kindUnder(['iifname "tapa" oifname "tapb" meta ibrname "vmbr0" accept'], 'bridge')).toBe('accept')
    expect(kindUnder(['iifname "tapa" accept'], 'inet')).toBe('drop')
    expect(kindUnder(['iif "vmbr0" accept'], 'ip')).toBe('accept')
    expect(kindUnder(['accept'], 'ip6')).toBe('accept')
  })

  test('a mark that came from elsewhere is not guessed', () => {
    expect(kindUnder(['meta mark set 0x00000001', 'meta mark 0x00000001 accept'])).toBe('accept')
    expect(kindUnder(['meta mark set ip saddr map @marks', 'meta mark 0x00000001 accept'])).toBe('unknown')
    expect(kindUnder(['meta mark set meta mark | 0x00000010 tcp dport 22 accept'])).toBe('accept')
  })
})
