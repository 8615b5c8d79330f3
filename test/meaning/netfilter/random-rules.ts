import fc from 'fast-check'
import { foreignMac, ports, v4, v6 } from './shots.ts'
import { macs } from './wire.ts'

const bang = fc.oneof({ weight: 3, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constant('! ') })
const port = fc.constantFrom(...ports)
const range = fc.tuple(port, port).map(([a, b]) => (a === b ? `${a}` : `${Math.min(a, b)}:${Math.max(a, b)}`))

/** `a` and what `b` gives, as one text. */
function joined(...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> {
  return fc.tuple(...parts).map((texts) => texts.join(''))
}

function option(name: string, value: fc.Arbitrary<string | number>): fc.Arbitrary<string> {
  return joined(bang, fc.constant(`${name} `), value.map(String), fc.constant(' '))
}

function maybe(weight: number, arbitrary: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof({ weight: 10 - weight, arbitrary: fc.constant('') }, { weight, arbitrary })
}

const tcp = joined(
  fc.constant('-p tcp -m tcp '),
  maybe(5, option('--dport', range)),
  maybe(3, option('--sport', range)),
  maybe(
    2,
    option('--tcp-flags', fc.constantFrom('FIN,SYN,RST,ACK SYN', 'ALL NONE', 'SYN,FIN SYN,FIN', 'ACK ACK')),
  ),
)
const list = fc.uniqueArray(port, { minLength: 1, maxLength: 4 }).map((all) => all.join(','))
const transports = fc.oneof(
  tcp,
  joined(
    fc.constant('-p udp -m udp '),
    maybe(6, option('--dport', range)),
    maybe(4, option('--sport', range)),
  ),
  joined(fc.constant('-p sctp -m sctp '), maybe(6, option('--dport', range))),
  joined(
    fc.constantFrom('-p tcp ', '-p udp '),
    fc.constant('-m multiport '),
    bang,
    fc.constantFrom('--dports ', '--sports ', '--ports '),
    list,
    fc.constant(',2000:3000 '),
  ),
  option('-p', fc.constantFrom('47', 'esp', 'vrrp', 'udp')),
)
const icmp = joined(
  fc.constant('-p icmp -m icmp '),
  option('--icmp-type', fc.constantFrom('any', '8', '3/4', '3', '0/1')),
)
const icmp6 = joined(
  fc.constant('-p ipv6-icmp -m icmp6 '),
  option('--icmpv6-type', fc.constantFrom('128', '1/4', '1', '143')),
)

const devices = fc.oneof(
  option('-m physdev --physdev-in', fc.constantFrom('tapa', 'tap+', 'tapb')).map(unnegatedModule),
  option('-m physdev --physdev-out', fc.constantFrom('tapb', 'tapc', 'tap+')).map(unnegatedModule),
  fc.constantFrom(
    '-m physdev --physdev-is-bridged ',
    '-m physdev ! --physdev-is-bridged ',
    '-m physdev --physdev-is-in ',
    '-m physdev ! --physdev-is-out ',
  ),
  option('-m mac --mac-source', fc.constantFrom(macs.tapa, foreignMac)).map(unnegatedModule),
  option('-m pkttype --pkt-type', fc.constantFrom('unicast', 'broadcast', 'multicast')).map(unnegatedModule),
)

/** `! -m x --y` → `-m x ! --y`. */
function unnegatedModule(text: string): string {
  return text.replace(/^! (-m \S+) /, '$1 ! ')
}

const marks = option('-m mark --mark', fc.constantFrom('0x1/0x1', '0x2/0x3', '0x10', '0x0/0xff')).map(
  unnegatedModule,
)

function sets(names: readonly string[], pairs: readonly string[]): fc.Arbitrary<string> {
  const ends = fc.constantFrom('src', 'dst')
  return fc.oneof(
    joined(
      fc.constant('-m set '),
      bang,
      fc.constant('--match-set '),
      fc.constantFrom(...names),
      fc.constant(' '),
      ends,
      fc.constant(' '),
    ),
    joined(
      fc.constant('-m set '),
      bang,
      fc.constant('--match-set '),
      fc.constantFrom(...pairs),
      fc.constant(' '),
      ends,
      fc.constant(','),
      ends,
      fc.constant(' '),
    ),
    joined(
      fc.constant('-m set --match-set '),
      fc.constantFrom(names[0] ?? ''),
      fc.constant(' '),
      ends,
      fc.constant(' --return-nomatch '),
    ),
  )
}

const states = option(
  '-m conntrack --ctstate',
  fc.constantFrom('NEW', 'INVALID', 'RELATED,ESTABLISHED', 'NEW,UNTRACKED', 'UNTRACKED'),
).map(unnegatedModule)
const directions = fc.constantFrom(
  '-m conntrack --ctdir REPLY ',
  '-m conntrack --ctdir ORIGINAL ',
  '-m conntrack --ctstate ESTABLISHED,INVALID --ctdir REPLY ',
  '-m state --state NEW ',
)

function matches(family: 4 | 6, hook: string, hasState: boolean): fc.Arbitrary<string> {
  const addresses =
    family === 4
      ? [...v4, '10.0.0.0/24', '10.0.0.0/255.0.255.0', '0.0.0.0/1']
      : [...v6, '2001:db8::/64', 'fe80::/10', '2001:db8::/ffff:ffff:ffff::']
  const ranges = family === 4 ? ['10.0.0.5-10.0.0.11', '10.0.1.0-172.16.0.9'] : ['2001:db8::2-2001:db8::11']
  return joined(
    maybe(3, option('-s', fc.constantFrom(...addresses))),
    maybe(3, option('-d', fc.constantFrom(...addresses))),
    maybe(hook === 'OUTPUT' ? 0 : 2, option('-i', fc.constantFrom('vmbr0', 'vm+', 'eth0'))),
    maybe(hook === 'FORWARD' || hook === 'OUTPUT' ? 2 : 0, option('-o', fc.constantFrom('vmbr0', 'eth+'))),
    maybe(
      5,
      fc.oneof({ weight: 3, arbitrary: transports }, { weight: 1, arbitrary: family === 4 ? icmp : icmp6 }),
    ),
    maybe(
      hook === 'OUTPUT' ? 0 : 3,
      hook === 'FORWARD' ? devices : devices.filter((text) => !/out|bridged/.test(text)),
    ),
    maybe(2, marks),
    maybe(
      3,
      family === 4
        ? sets(['nets', 'ips', 'field', 'wide', 'all', 'numbers'], ['pairs', 'netports'])
        : sets(['nets6', 'numbers'], ['netports6']),
    ),
    maybe(
      1,
      option(family === 4 ? '-m ttl --ttl-eq' : '-m hl --hl-eq', fc.constantFrom(64, 255)).map(
        unnegatedModule,
      ),
    ),
    maybe(1, option('-m iprange --src-range', fc.constantFrom(...ranges)).map(unnegatedModule)),
    maybe(1, fc.constant('-m comment --comment "-j DROP" ')),
    maybe(hasState ? 5 : 0, fc.oneof(states, directions)),
    maybe(family === 4 && !hasState ? 1 : 0, fc.constantFrom('-f ', '! -f ')),
  )
}

function target(family: 4 | 6, table: string, chains: readonly string[]): fc.Arbitrary<string> {
  const reject =
    family === 4
      ? '-j REJECT --reject-with icmp-host-prohibited'
      : '-j REJECT --reject-with icmp6-adm-prohibited'
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('-j ACCEPT', '-j DROP') },
    {
      weight: 1,
      arbitrary: fc.constantFrom('-j RETURN', ...(table === 'filter' ? [reject] : ['-j RETURN'])),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        '-j MARK --set-xmark 0x1/0x1',
        '-j MARK --set-xmark 0x12/0xff',
        '-j MARK --or-mark 0x2',
        '-j MARK --and-mark 0xf0',
        '-j MARK --xor-mark 0x3',
      ),
    },
    { weight: 1, arbitrary: fc.constantFrom('-j LOG --log-prefix "-j DROP "', '') },
    {
      weight: chains.length === 0 ? 0 : 3,
      arbitrary: fc.constantFrom('', ...chains).map((name) => (name === '' ? '' : `-j ${name}`)),
    },
    {
      weight: chains.length === 0 ? 0 : 2,
      arbitrary: fc.constantFrom('', ...chains).map((name) => (name === '' ? '' : `-g ${name}`)),
    },
  )
}

/** Chains lead to later ones only: the tools refuse loops. */
function table(family: 4 | 6, name: string, hook: string, hasState: boolean): fc.Arbitrary<string> {
  const own = name === 'filter' ? ['one', 'two', 'three'] : ['pre']
  const chain = (index: number, length: number) =>
    fc.array(
      joined(
        fc.constant(`-A ${index < 0 ? hook : own[index]} `),
        matches(family, hook, hasState),
        target(family, name, own.slice(index + 1)),
      ),
      { minLength: length, maxLength: length },
    )
  return fc
    .tuple(fc.constantFrom('ACCEPT', 'DROP'), chain(-1, 8), ...own.map((_, index) => chain(index, 4)))
    .map(([policy, ...chains]) =>
      [
        `*${name}`,
        `:${hook} ${name === 'filter' ? policy : 'ACCEPT'} [0:0]`,
        ...own.map((one) => `:${one} - [0:0]`),
        ...chains.flat(),
        'COMMIT',
        '',
      ].join('\n'),
    )
}

/** The built-in chain that the rules stand in, and whether they ask conntrack. */
export interface RuleOptions {
  readonly hook: string
  readonly hasState: boolean
}

function ruleset(family: 4 | 6, { hook, hasState }: RuleOptions): fc.Arbitrary<string> {
  const first = hook === 'OUTPUT' ? 'OUTPUT' : 'PREROUTING'
  return joined(
    table(family, 'raw', first, false),
    table(family, 'mangle', hook, hasState),
    table(family, 'filter', hook, hasState),
  )
}

/** Rules as somebody would write them, in `raw`, `mangle` and `filter`. */
export function ruleset4(options: RuleOptions): fc.Arbitrary<string> {
  return ruleset(4, options)
}

/** The same of ip6tables. */
export function ruleset6(options: RuleOptions): fc.Arbitrary<string> {
  return ruleset(6, options)
}
