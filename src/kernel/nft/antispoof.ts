import type { Nic } from '../../model/model.ts'
import { type Address, type Family, addressBits, addressValue, familyOf } from '../../net/address.ts'
import { type Mac, isGroupMac } from '../../net/mac.ts'
import { type Prefix, aggregate, ofFamily, prefixAddress, prefixBits } from '../../net/prefix.ts'

/**
 * The rules on who a guest may claim to be, as `nft -p` 1.0.6 prints them. Whatever no line accepts is dropped: other ethertypes
 * (which includes VLAN-tagged frames) as well as IPv6 packets that nft cannot take apart: those have no `meta l4proto`.
 *
 * What could hide a forged message: IPv4 fragments cannot, the first one holds the whole UDP header. In IPv6 nft steps over
 * extension headers, so a type or port behind them is seen. Fragments that begin with an extension header are dropped, since
 * the chain could go on in the next one (RFC 7112), and so is neighbour discovery in fragments (RFC 6980).
 */
export function antispoofRules(nic: Nic): readonly string[] {
  const owners = ownersOf(nic)
  const macs = owners.map(({ mac }) => mac)
  return [
    `ether saddr != ${oneOf(macs)} counter drop`,
    'ether type != { ip, arp, 0x8035, ip6 } counter drop',
    // RARP says where a guest is after a migration (QEMU's announce-self); the frame's source was checked above.
    'ether type 0x8035 accept',
    ...owners.flatMap(arpRules),
    ...(nic.dhcpServer
      ? []
      : ['udp sport 67 udp dport 68 counter drop', 'udp sport 547 udp dport 546 counter drop']),
    'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept',
    ...owners.flatMap((owner) =>
      ofFamily(owner.prefixes, 4).map(
        (prefix) => `ether saddr ${owner.mac} ip saddr ${spelled(prefix)} accept`,
      ),
    ),
    `frag nexthdr ${extensionHeaders} counter drop`,
    ...discoveryRules(nic),
    ...owners.flatMap(ownDiscoveryRules),
    // From nowhere: duplicate address detection, router solicitation, group membership. RFC 4862, 5.4; RFC 3590.
    `ip6 saddr :: icmpv6 type ${unspecifiedTypes} accept`,
    ...owners.flatMap((owner) =>
      ofFamily(owner.prefixes, 6).map(
        (prefix) => `ether saddr ${owner.mac} ip6 saddr ${spelled(prefix)} meta l4proto != 255 accept`,
      ),
    ),
    'counter drop',
  ]
}

/** A MAC that a NIC may use, with the addresses that belong to it. */
interface Owner {
  readonly mac: Mac
  readonly prefixes: readonly Prefix[]
}

/** A group address is never a source, whatever was declared. */
function ownersOf(nic: Nic): readonly Owner[] {
  const macs = [...new Set([nic.mac, ...nic.sources.map(({ mac }) => mac)])]
    .filter((mac) => !isGroupMac(mac))
    .sort()
  return macs.map((mac) => ({
    mac,
    prefixes: aggregate(nic.sources.filter((pair) => pair.mac === mac).map(({ prefix }) => prefix)),
  }))
}

/** RFC 826; a probe has no sender address yet: RFC 5227, 2.1.1. */
function arpRules({ mac, prefixes }: Owner): readonly string[] {
  const ethernet = `ether saddr ${mac} arp htype 1 arp ptype ip arp hlen 6 arp plen 4`
  return [
    `${ethernet} arp operation request arp saddr ether ${mac} arp saddr ip 0.0.0.0 accept`,
    ...ofFamily(prefixes, 4).map(
      (prefix) => `${ethernet} arp saddr ether ${mac} arp saddr ip ${spelled(prefix)} accept`,
    ),
  ]
}

/** Hop-by-hop, routing, fragment, authentication, destination options, mobility, HIP, shim6: IANA, "IPv6 Extension Header Types". */
const extensionHeaders = '{ 0, 43, 44, 51, 60, 135, 139, 140 }'
const routerTypes = '{ nd-router-advert, nd-redirect }'
const neighbourTypes = '{ nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert }'
const discoveryTypes =
  '{ nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect }'
const unspecifiedTypes =
  '{ mld-listener-report, mld-listener-done, nd-router-solicit, nd-neighbor-solicit, mld2-listener-report }'

/**
 * The shape of neighbour discovery: never forwarded, no extension headers, at most one option. Lengths count from the ICMPv6
 * header: solicitation and advertisement are 24 bytes, router solicitation is 8, the option that may follow is 8. RFC 4861, 4.
 */
function discoveryRules(nic: Nic): readonly string[] {
  const types = nic.routerAdvertisements ? discoveryTypes : neighbourTypes
  return [
    ...(nic.routerAdvertisements ? [] : [`icmpv6 type ${routerTypes} counter drop`]),
    `icmpv6 type ${types} ip6 hoplimit != 255 counter drop`,
    `icmpv6 type ${types} ip6 nexthdr != 58 counter drop`,
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 length != { 24, 32 } counter drop',
    'icmpv6 type nd-router-solicit ip6 length != { 8, 16 } counter drop',
  ]
}

/** Option types of RFC 4861, 4.6 (1 source, 2 target link-layer address) and RFC 3971, 5.3.2 (14 nonce, RFC 7527); length 1. */
function ownDiscoveryRules({ mac, prefixes }: Owner): readonly string[] {
  const from = `ether saddr ${mac} icmpv6 type`
  const addressOption = (type: number) => hex((BigInt(type) << 56n) | (1n << 48n) | macValue(mac))
  const foreignTarget = ofFamily(prefixes, 6).map(targetOutside).join(' ')
  const isAnyTarget = ofFamily(prefixes, 6).some((prefix) => prefixBits(prefix) === 0)
  const targets = isAnyTarget
    ? []
    : [
        `${from} nd-neighbor-advert${foreignTarget === '' ? '' : ` ${foreignTarget}`} counter drop`,
        `ether saddr ${mac} ip6 saddr :: icmpv6 type nd-neighbor-solicit${foreignTarget === '' ? '' : ` ${foreignTarget}`} counter drop`,
      ]
  return [
    ...targets,
    `${from} nd-neighbor-advert ip6 length 32 @th,192,64 != ${addressOption(2)} counter drop`,
    `${from} nd-neighbor-solicit ip6 length 32 @th,192,64 != ${addressOption(1)} @th,192,16 != 0xe01 counter drop`,
    `${from} nd-router-solicit ip6 length 16 @th,64,64 != ${addressOption(1)} counter drop`,
  ]
}

/**
 * "The target address (bytes 8–23 of the message) is not in `prefix`." nft 1.0.6 has no name for that field, and compares whole
 * bytes: an odd length becomes a mask.
 */
function targetOutside(prefix: Prefix): string {
  const bits = prefixBits(prefix)
  const width = Math.ceil(bits / 8) * 8
  const value = addressValue(prefixAddress(prefix)) >> BigInt(128 - width)
  const mask = ((1n << BigInt(bits)) - 1n) << BigInt(width - bits)
  return `@th,64,${width}${width === bits ? '' : ` & ${hex(mask)}`} != ${hex(value)}`
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`
}

function macValue(mac: Mac): bigint {
  return BigInt(`0x${mac.replaceAll(':', '')}`)
}

function oneOf(list: readonly string[]): string {
  return list.length === 1 ? `${list[0]}` : `{ ${list.join(', ')} }`
}

/** nft leaves out the length of a single address. */
function spelled(prefix: Prefix): Prefix | Address {
  const family: Family = familyOf(prefix)
  return prefixBits(prefix) === addressBits(family) ? prefixAddress(prefix) : prefix
}
