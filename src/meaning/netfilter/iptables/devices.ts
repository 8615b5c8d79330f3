import { isGroupMac, parseMac } from '../../../net/mac.ts'
import type { Test } from '../chain.ts'
import { matchesInterface, readAddress } from '../names.ts'
import type { OptionReader } from './header.ts'
import { doubt } from '../truth.ts'
import type { Option } from './words.ts'

/**
 * `-m physdev`, as `physdev_mt` in `xt_physdev.c` has it: negated options hold where br_netfilter has no say; `--physdev-in` without a
 * known port holds; `--physdev-out`, even negated, needs a port.
 */
export function physdevTest(option: Option): Test | undefined {
  const [pattern = ''] = option.values
  const { isNegated } = option
  switch (option.name) {
    case '--physdev-in':
      return ({ place: { bridged } }) => {
        if (bridged === undefined) return isNegated
        return bridged.in === '' || matchesInterface(pattern, bridged.in) !== isNegated
      }
    case '--physdev-out':
      return ({ place: { bridged } }) => {
        if (bridged === undefined) return isNegated
        return bridged.out !== '' && matchesInterface(pattern, bridged.out) !== isNegated
      }
    case '--physdev-is-bridged':
    case '--physdev-is-out':
      return ({ place: { bridged } }) => (bridged !== undefined && bridged.out !== '') !== isNegated
    case '--physdev-is-in':
      return ({ place: { bridged } }) => (bridged !== undefined && bridged.in !== '') !== isNegated
    default:
      return undefined
  }
}

/** `-m mac`: what the frame came with; the hypervisor's own packets have none yet. */
export const readMacSource: OptionReader = ({ name, values, isNegated }) => {
  const mac = name === '--mac-source' ? parseMac(values[0] ?? '') : undefined
  if (mac === undefined) return undefined
  return ({ frame, place }) => place.inInterface !== '' && (frame.sourceMac === mac) !== isNegated
}

const packetTypes = ['unicast', 'broadcast', 'multicast']

/** `-m pkttype`. br_netfilter calls every unicast frame one for us. */
export const readPacketType: OptionReader = ({ name, values, isNegated }) => {
  const [type = ''] = values
  if (name !== '--pkt-type' || !packetTypes.includes(type)) return undefined
  const unsure = doubt('what type of packet the hypervisor makes')
  return ({ frame, place }) => {
    if (place.inInterface === '') return unsure
    return (frameType(frame.destinationMac) === type) !== isNegated
  }
}

function frameType(mac: Parameters<typeof isGroupMac>[0]): string {
  return mac === 'ff:ff:ff:ff:ff:ff' ? 'broadcast' : isGroupMac(mac) ? 'multicast' : 'unicast'
}

/** `-m iprange`. */
export const readAddressRange: OptionReader = ({ name, values, isNegated }) => {
  const [from = '', to = ''] = (values[0] ?? '').split('-')
  const [first, last] = [readAddress(from), readAddress(to)]
  const end = name === '--src-range' ? 'source' : name === '--dst-range' ? 'destination' : undefined
  if (end === undefined || first === undefined || last === undefined) return undefined
  return ({ ip }) => ip !== undefined && (first.value <= ip[end] && ip[end] <= last.value) !== isNegated
}
