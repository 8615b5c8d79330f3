import { type Address, addressValue, familyOf, formatAddress } from '../../net/address.ts'
import type { Mac } from '../../net/mac.ts'
import type { ArpPacket, Frame, IpPacket } from '../frame.ts'
import { type WordName, type Words, emptyWords, first, last } from './words.ts'

/** Bit of a tag word that says that there is a tag. */
export const tagBit = 0x1000

const etherTypes = { ip: 0x0800, ipv6: 0x86dd, arp: 0x0806, rarp: 0x8035, vlan: 0x8100 } as const
/** What Open vSwitch takes for the type of a frame whose type field is a length; ovs-fields(7), `eth_type`. */
const noEtherType = 0x05ff

/**
 * The frame as it comes in by a port. What a `Frame` does not tell (type of service, flow label, marks, tunnels) is unknown, but
 * for the priority in its tag, which is zero.
 */
export function readFrame(frame: Frame, port: number): Words {
  const words = emptyWords()
  set(words, 'inPort', port)
  setMac(words, 'ethSource', frame.sourceMac)
  setMac(words, 'ethDestination', frame.destinationMac)
  if (frame.vlan !== undefined) set(words, 'vlan', tagBit | frame.vlan)
  set(words, 'ethType', frame.etherType < 0x600 ? noEtherType : frame.etherType)
  for (const name of unsaid) forget(words, name, 0xffffffff)
  const { payload, etherType } = frame
  if (
    payload.kind === 'ip' &&
    etherType === (familyOf(payload.ip.source) === 4 ? etherTypes.ip : etherTypes.ipv6)
  )
    readIp(words, payload.ip)
  if (payload.kind === 'arp' && (etherType === etherTypes.arp || etherType === etherTypes.rarp))
    readArp(words, payload.arp)
  return words
}

/** Words that no frame carries. They are zero in most packets, but who marked or tunnelled this one is not told. */
const unsaid = [
  'packetMark',
  'queuePriority',
  'tunnelId',
  'tunnelSource',
  'tunnelDestination',
  'tunnelIpv6Source',
  'tunnelIpv6Destination',
  'tunnelGroup',
  'tunnelGroupFlags',
  'tunnelFlags',
  'tunnelHopLimit',
  'tunnelTos',
] as const

const protocols = { icmp: 1, igmp: 2, tcp: 6, udp: 17, ipv6Fragment: 44, icmp6: 58, sctp: 132 } as const
const solicitation = 135
const advertisement = 136

function readIp(words: Words, ip: IpPacket): void {
  const isV6 = familyOf(ip.source) === 6
  setAddress(words, isV6 ? 'ipv6Source' : 'ipSource', ip.source)
  setAddress(words, isV6 ? 'ipv6Destination' : 'ipDestination', ip.destination)
  // Later fragments of IPv6 have no other protocol than that; ovs-fields(7), `nw_proto`.
  const isLater = ip.fragment === 'later'
  set(words, 'ipProtocol', isV6 && isLater ? protocols.ipv6Fragment : ip.protocol)
  set(words, 'hopLimit', ip.hopLimit)
  set(words, 'fragment', ip.fragment === 'no' ? 0 : isLater ? 3 : 1)
  forget(words, 'tos', 0xff)
  if (isV6) forget(words, 'ipv6Label', 0xfffff)
  if (!isLater) readTransport(words, ip)
}

/** Open vSwitch reads the headers of these protocols only. What the frame leaves out is unknown, not zero. */
function readTransport(words: Words, { protocol, ports, icmp }: IpPacket): void {
  switch (protocol) {
    case protocols.tcp:
      setOrForget(words, 'tcpFlags', ports?.tcpFlags, 0xfff)
      readPorts(words, ports?.source, ports?.destination)
      break
    case protocols.udp:
    case protocols.sctp:
      readPorts(words, ports?.source, ports?.destination)
      break
    case protocols.igmp:
      readPorts(words, undefined, undefined)
      break
    case protocols.icmp:
      readPorts(words, icmp?.type, icmp?.code)
      break
    case protocols.icmp6:
      readPorts(words, icmp?.type, icmp?.code)
      if (icmp !== undefined) readNeighbour(words, icmp)
      break
  }
}

function readPorts(words: Words, source: number | undefined, destination: number | undefined): void {
  setOrForget(words, 'sourcePort', source, 0xffff)
  setOrForget(words, 'destinationPort', destination, 0xffff)
}

function readNeighbour(words: Words, icmp: NonNullable<IpPacket['icmp']>): void {
  if (icmp.code !== 0 || (icmp.type !== solicitation && icmp.type !== advertisement)) return
  if (icmp.target !== undefined) setAddress(words, 'ndTarget', icmp.target)
  if (icmp.link !== undefined)
    setMac(words, icmp.type === solicitation ? 'arpSource' : 'arpTarget', icmp.link)
  forget(words, 'ndReserved', 0xffffffff)
  forget(words, 'ndOption', 0xff)
}

function readArp(words: Words, arp: ArpPacket): void {
  set(words, 'ipProtocol', arp.operation > 0xff ? 0 : arp.operation)
  setMac(words, 'arpSource', arp.senderMac)
  setMac(words, 'arpTarget', arp.targetMac)
  setAddress(words, 'ipSource', arp.senderAddress)
  setAddress(words, 'ipDestination', arp.targetAddress)
}

/** The frame that `words` became, having come in as `frame` with the words `before`. Itself when nothing of it changed. */
export function writeFrame(words: Words, frame: Frame, before: Words): Frame {
  if (headers.every((word) => words.value[word] === before.value[word])) return frame
  const changed = (name: WordName) => differs(words, before, name)
  const tag = words.value[first.vlan] ?? 0
  const isDouble = (tag & tagBit) !== 0 && ((words.value[first.innerVlan] ?? 0) & tagBit) !== 0
  return {
    sourceMac: changed('ethSource') ? macAt(words, 'ethSource') : frame.sourceMac,
    destinationMac: changed('ethDestination') ? macAt(words, 'ethDestination') : frame.destinationMac,
    ...((tag & tagBit) === 0 ? {} : { vlan: tag & 0xfff }),
    etherType: isDouble ? etherTypes.vlan : frame.etherType,
    payload: isDouble ? { kind: 'other' } : writePayload(words, frame.payload, before),
  }
}

function writePayload(words: Words, payload: Frame['payload'], before: Words): Frame['payload'] {
  switch (payload.kind) {
    case 'ip':
      return { kind: 'ip', ip: writeIp(words, payload.ip, before) }
    case 'arp':
      return { kind: 'arp', arp: writeArp(words, payload.arp, before) }
    case 'other':
      return payload
  }
}

function writeIp(words: Words, ip: IpPacket, before: Words): IpPacket {
  const isV6 = familyOf(ip.source) === 6
  const [source, destination] = isV6
    ? (['ipv6Source', 'ipv6Destination'] as const)
    : (['ipSource', 'ipDestination'] as const)
  const at = (name: WordName, otherwise: number) =>
    differs(words, before, name) ? (words.value[last(name)] ?? 0) : otherwise
  const linkWord = ip.icmp?.type === solicitation ? 'arpSource' : 'arpTarget'
  return {
    ...ip,
    source: differs(words, before, source) ? addressAt(words, source) : ip.source,
    destination: differs(words, before, destination) ? addressAt(words, destination) : ip.destination,
    hopLimit: at('hopLimit', ip.hopLimit),
    ...(ip.ports === undefined
      ? {}
      : {
          ports: {
            ...ip.ports,
            source: at('sourcePort', ip.ports.source),
            destination: at('destinationPort', ip.ports.destination),
          },
        }),
    ...(ip.icmp === undefined
      ? {}
      : {
          icmp: {
            ...ip.icmp,
            type: at('sourcePort', ip.icmp.type),
            code: at('destinationPort', ip.icmp.code),
            ...(differs(words, before, 'ndTarget') ? { target: addressAt(words, 'ndTarget') } : {}),
            ...(differs(words, before, linkWord) ? { link: macAt(words, linkWord) } : {}),
          },
        }),
  }
}

function writeArp(words: Words, arp: ArpPacket, before: Words): ArpPacket {
  const changed = (name: WordName) => differs(words, before, name)
  return {
    operation: changed('ipProtocol') ? (words.value[last('ipProtocol')] ?? 0) : arp.operation,
    senderMac: changed('arpSource') ? macAt(words, 'arpSource') : arp.senderMac,
    senderAddress: changed('ipSource') ? addressAt(words, 'ipSource') : arp.senderAddress,
    targetMac: changed('arpTarget') ? macAt(words, 'arpTarget') : arp.targetMac,
    targetAddress: changed('ipDestination') ? addressAt(words, 'ipDestination') : arp.targetAddress,
  }
}

/** Did an action write something into a header that we do not know? */
export function isBlurred(words: Words, before: Words): boolean {
  return headers.some((word) => words.unknown[word] !== before.unknown[word])
}

/** Words that stand in a frame. */
const headers = (
  [
    'vlan',
    'innerVlan',
    'ethSource',
    'ethDestination',
    'ipSource',
    'ipDestination',
    'ipv6Source',
    'ipv6Destination',
    'ipProtocol',
    'hopLimit',
    'arpSource',
    'arpTarget',
    'sourcePort',
    'destinationPort',
    'ndTarget',
  ] as const
).flatMap(wordsOf)

function wordsOf(name: WordName): readonly number[] {
  return Array.from({ length: last(name) - first[name] + 1 }, (_, at) => first[name] + at)
}

function differs(words: Words, before: Words, name: WordName): boolean {
  for (let word = first[name]; word <= last(name); word++)
    if (words.value[word] !== before.value[word]) return true
  return false
}

function set(words: Words, name: WordName, value: number): void {
  words.value[last(name)] = value
}

function forget({ unknown }: Words, name: WordName, mask: number): void {
  for (let word = first[name]; word <= last(name); word++) unknown[word] = mask
}

function setOrForget(words: Words, name: WordName, value: number | undefined, mask: number): void {
  if (value === undefined) forget(words, name, mask)
  else set(words, name, value)
}

function setMac({ value }: Words, name: WordName, mac: Mac): void {
  const hex = mac.replaceAll(':', '')
  value[first[name]] = Number.parseInt(hex.slice(0, 4), 16)
  value[first[name] + 1] = Number.parseInt(hex.slice(4), 16)
}

function macAt({ value }: Words, name: WordName): Mac {
  const high = (value[first[name]] ?? 0).toString(16).padStart(4, '0')
  const low = (value[first[name] + 1] ?? 0).toString(16).padStart(8, '0')
  return (high + low).replaceAll(/..(?!$)/g, '$&:') as Mac
}

function setAddress({ value }: Words, name: WordName, address: Address): void {
  let rest = addressValue(address)
  for (let word = last(name); word >= first[name]; word--) {
    value[word] = Number(rest & 0xffffffffn)
    rest >>= 32n
  }
}

function addressAt({ value }: Words, name: WordName): Address {
  let sum = 0n
  for (let word = first[name]; word <= last(name); word++) sum = (sum << 32n) | BigInt(value[word] ?? 0)
  return formatAddress(sum, first[name] === last(name) ? 4 : 6)
}
