import { type AddressTypes, isOfType } from '../address-type.ts'
import type { Test } from '../chain.ts'
import type { SetEnds, SetTest } from '../ipset.ts'
import { type Truth, doubt, negateIf } from '../truth.ts'
import { conntrackTests, readConnectionMark, readMark, readState } from './connection.ts'
import { physdevTest, readAddressRange, readMacSource, readPacketType } from './devices.ts'
import { type OptionReader, icmpReader, portReader, readHopLimit, readMultiport } from './header.ts'
import type { MatchText, Option } from './words.ts'

/** What of the host a match may ask for besides the packet. */
export interface HostTables {
  readonly sets: ReadonlyMap<string, SetTest>
  readonly addressTypes: AddressTypes
}

/** Modules whose options each stand for themselves. */
const readers: Readonly<Record<string, OptionReader>> = {
  tcp: portReader('tcp'),
  udp: portReader('udp'),
  sctp: portReader('sctp'),
  dccp: portReader('dccp'),
  udplite: portReader('udplite'),
  multiport: readMultiport,
  icmp: icmpReader('icmp'),
  icmp6: icmpReader('icmp6'),
  icmpv6: icmpReader('icmp6'),
  'ipv6-icmp': icmpReader('icmp6'),
  ttl: readHopLimit,
  hl: readHopLimit,
  state: readState,
  mark: readMark,
  connmark: readConnectionMark,
  mac: readMacSource,
  pkttype: readPacketType,
  iprange: readAddressRange,
  physdev: physdevTest,
  comment: () => () => true,
  // Counts, and says yes.
  nfacct: ({ name }) => (name === '--nfacct-name' ? () => true : undefined),
}

/** The tests of a match. What is not understood is a test that answers with a doubt, naming it. */
export function matchTests(match: MatchText, host: HostTables): readonly Test[] {
  switch (match.module) {
    case 'comment':
      return []
    case 'conntrack':
      return conntrackTests(match.options) ?? [unread(match)]
    case 'set':
      return [setMatch(match, host) ?? unread(match)]
    case 'addrtype':
      return [addressTypeMatch(match, host) ?? unread(match)]
    default: {
      const reader = Object.hasOwn(readers, match.module) ? readers[match.module] : undefined
      if (reader === undefined) return [unread(match)]
      const tests = match.options.map((option) => reader(option) ?? unread(match, option))
      return portModules.has(match.module) ? [isWhole, ...tests] : tests
    }
  }
}

const portModules: ReadonlySet<string> = new Set(['tcp', 'udp', 'sctp', 'dccp', 'udplite'])

/** These modules want a header even when nothing is asked of it (`udp_mt` and its like, `fragoff`). */
const isWhole: Test = ({ ip }) => ip !== undefined && ip.fragment !== 'later'

/** Says "nobody knows" whatever the packet. */
function unread({ module, options }: MatchText, option?: Option): Test {
  const words = (option === undefined ? options : [option]).flatMap(({ name, values, isNegated }) => [
    ...(isNegated ? ['!'] : []),
    name,
    ...values,
  ])
  const answer = doubt(['-m', module, ...words].join(' '))
  return () => answer
}

/** Counters of entries (`--packets-gt` and the like) are not known; `--update-counters` only tells what is counted. */
function setMatch({ options }: MatchText, host: HostTables): Test | undefined {
  const [option] = options.filter(({ name }) => name === '--match-set')
  const [name, ends = ''] = option?.values ?? []
  const others = options.filter((one) => one !== option).map((one) => one.name)
  const isKnown = others.every((one) => /^--(return-nomatch|update-(sub)?counters)$/.test(one))
  if (option === undefined || name === undefined || !isKnown || !/^(src|dst)(,(src|dst))*$/.test(ends))
    return undefined
  const set = host.sets.get(name)
  if (set === undefined) {
    const answer = doubt(`no set "${name}"`)
    return () => answer
  }
  const list = ends.split(',') as SetEnds
  const nomatchOnly = others.includes('--return-nomatch')
  const changed = doubt(`set "${name}" was changed on the way`)
  return (passage) =>
    passage.changedSets.has(name) ? changed : negateIf(option.isNegated, set(passage, list, nomatchOnly))
}

/**
 * `-m addrtype`. IPv4 asks the routing table, which has an anycast address only if somebody put one into the table "local"; IPv6 tells unicast and multicast by the address alone, and asks the routing table
 * for the rest (`xt_addrtype.c`).
 */
function addressTypeMatch({ options }: MatchText, host: HostTables): Test | undefined {
  const tests = options.map(({ name, values, isNegated }): Test | undefined => {
    const wanted = new Set((values[0] ?? '').split(','))
    const end = name === '--src-type' ? 'source' : name === '--dst-type' ? 'destination' : undefined
    const isKnown = [...wanted].every((type) => /^(LOCAL|UNICAST|BROADCAST|MULTICAST|ANYCAST)$/.test(type))
    if (end === undefined || !isKnown) return undefined
    return ({ ip }) => {
      if (ip === undefined) return false
      const possible = host.addressTypes(ip[end], ip.family)
      if (ip.family === 4) return negateIf(isNegated, isOfType(possible, wanted))
      return negateIf(
        isNegated,
        wanted.size === 1 ? isOfV6Type(possible, ip[end], [...wanted][0] ?? '') : unsure,
      )
    }
  })
  const known = tests.filter((test) => test !== undefined)
  if (known.length !== tests.length) return undefined
  return (passage) => {
    const truths = known.map((test) => test(passage))
    return truths.find((truth) => truth === false) ?? truths.find((truth) => truth !== true) ?? true
  }
}

const unsure = doubt('-m addrtype with several types of IPv6 addresses')

const anycast = doubt('-m addrtype: anycast addresses of IPv6')

function isOfV6Type(possible: ReturnType<AddressTypes>, address: bigint, type: string): Truth {
  switch (type) {
    case 'MULTICAST':
      return possible.has('MULTICAST')
    case 'UNICAST':
      return address !== 0n && !possible.has('MULTICAST')
    case 'ANYCAST':
      return possible.has('MULTICAST') ? false : anycast
    default:
      return isOfType(possible, new Set([type]))
  }
}
