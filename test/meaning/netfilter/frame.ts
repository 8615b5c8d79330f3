import type { Frame, IpPacket } from '../../../src/meaning/frame.ts'
import type { Address } from '../../../src/net/address.ts'
import type { Mac } from '../../../src/net/mac.ts'

const numbers: Readonly<Record<string, number>> = { tcp: 6, udp: 17, icmp: 1, icmp6: 58 }
const flags: Readonly<Record<string, number>> = { ack: 16, rst: 4, synfin: 3 }

/** `from>to tcp/443`, `… tcp/443/ack`, `… udp/67<68` (from port 68), `… icmp/8`. Source port 40000, a SYN, hop limit 64. */
export function packetFrame(text: string): Frame {
  const match = /^([^>]+)>(\S+) (\w+)\/(\d+)(?:<(\d+))?(?:\/(\w+))?$/.exec(text)
  if (match === null) throw new Error(`not a packet: ${text}`)
  const [, source = '', destination = '', name = '', value = '', from = '40000', flag = ''] = match
  const protocol = numbers[name] ?? 0
  const body: Partial<IpPacket> = name.startsWith('icmp')
    ? { icmp: { type: Number(value), code: 0 } }
    : {
        ports: {
          source: Number(from),
          destination: Number(value),
          ...(name === 'tcp' ? { tcpFlags: flags[flag] ?? 2 } : {}),
        },
      }
  return {
    sourceMac: '52:54:00:00:00:0a' as Mac,
    destinationMac: '52:54:00:00:00:0b' as Mac,
    etherType: source.includes(':') ? 0x86dd : 0x0800,
    payload: {
      kind: 'ip',
      ip: {
        source: source as Address,
        destination: destination as Address,
        protocol,
        hopLimit: 64,
        fragment: 'no',
        ...body,
      },
    },
  }
}
