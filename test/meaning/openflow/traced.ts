import { type Address, addressValue, familyOf, formatAddress } from '../../../src/net/address.ts'
import type { Frame } from '../../../src/meaning/frame.ts'
import type { End, Simulation } from '../../../src/meaning/simulation.ts'

/**
 * A copy that left a bridge, as far as both sides can tell: `p2 02:…>02:… vlan=10 10.0.0.1>10.0.0.2 ttl=64 1000>80`.
 */
export type Departure = string

/** What a real switch would send: outputs of the datapath actions of every part of a trace. See ovs-vswitchd(8), `ofproto/trace`. */
export function departuresOfTrace(trace: string): readonly Departure[] {
  const parts = trace.split(/^=+\n(?=recirc\()/m).map(partOf)
  const reached = new Set<string | undefined>([undefined])
  return parts
    .flatMap(({ id, flow, actions }) => {
      // A part that was queued by one that failed is traced all the same.
      if (!reached.has(id)) return []
      for (const match of actions.matchAll(/recirc\((0x[0-9a-f]+)\)/g)) reached.add(match[1])
      return run(actions, headerOf(flow))
    })
    .sort()
}

interface Part {
  /** Absent: the first one. */
  readonly id: string | undefined
  readonly flow: string
  readonly actions: string
}

function partOf(text: string): Part {
  const [flow, actions] = [/^Flow: (.*)$/m.exec(text)?.[1], /^Datapath actions: (.*)$/m.exec(text)?.[1]]
  if (flow === undefined || actions === undefined) throw new Error(`not a trace: ${text.slice(0, 1000)}`)
  return { id: /^recirc\((0x[0-9a-f]+)\)/.exec(text)?.[1], flow, actions }
}

/** What the simulator says the switch sends. */
export function departuresOfEnds({ ends }: Simulation): readonly Departure[] {
  return ends.flatMap((end) => (end.kind === 'output' ? [departureOfEnd(end)] : [])).sort()
}

interface Header {
  readonly fields: Map<string, string>
  readonly tags: number[]
}

function headerOf(flow: string): Header {
  const fields = new Map(
    flow.split(',').map((part): [string, string] => {
      const cut = part.indexOf('=')
      return cut < 0 ? [part, ''] : [part.slice(0, cut), part.slice(cut + 1)]
    }),
  )
  const tags = ['', '1']
    .map((end) => fields.get(`dl_vlan${end}`) ?? tagOf(fields.get(`vlan_tci${end}`)))
    .filter((vlan) => vlan !== undefined)
  return { fields, tags: tags.map(Number) }
}

function tagOf(tci: string | undefined): string | undefined {
  const number = Number(tci ?? 0)
  return (number & 0x1000) === 0 ? undefined : `${number & 0xfff}`
}

/** Names of ovs-appctl's datapath keys for the fields that a trace prints. */
const names: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  eth: { src: 'dl_src', dst: 'dl_dst' },
  ipv4: { src: 'nw_src', dst: 'nw_dst', ttl: 'nw_ttl' },
  ipv6: { src: 'ipv6_src', dst: 'ipv6_dst', hlimit: 'nw_ttl' },
  tcp: { src: 'tp_src', dst: 'tp_dst' },
  udp: { src: 'tp_src', dst: 'tp_dst' },
  sctp: { src: 'tp_src', dst: 'tp_dst' },
  arp: { sip: 'arp_spa', tip: 'arp_tpa', op: 'arp_op', sha: 'arp_sha', tha: 'arp_tha' },
}

function run(actions: string, header: Header): readonly Departure[] {
  return split(actions).flatMap((action): readonly Departure[] => {
    const [, name = '', argument = ''] = /^([A-Za-z0-9_.-]+)(?:\((.*)\))?$/.exec(action) ?? []
    switch (name) {
      case 'drop':
      case 'ct':
      case 'ct_clear':
      case 'recirc':
      case 'userspace':
      case 'trunc':
        return []
      case 'clone':
        return run(argument, { fields: new Map(header.fields), tags: [...header.tags] })
      case 'push_vlan':
        header.tags.unshift(Number(/vid=(\d+)/.exec(argument)?.[1]))
        return []
      case 'pop_vlan':
        header.tags.shift()
        return []
      case 'set':
        set(argument, header)
        return []
      case '':
        throw new Error(`datapath action ${action}`)
      default:
        return [departureOf(name, header)]
    }
  })
}

function set(argument: string, { fields }: Header): void {
  const [, key = '', values = ''] = /^(\w+)\((.*)\)$/.exec(argument) ?? []
  for (const part of values.split(',')) {
    const cut = part.indexOf('=')
    const field = names[key]?.[part.slice(0, cut)]
    if (field !== undefined) fields.set(field, applyMask(fields.get(field) ?? '', part.slice(cut + 1)))
  }
}

/** `value` or `value/mask`, where the mask may be partial. */
function applyMask(before: string, text: string): string {
  const [value = '', mask] = text.split('/')
  if (mask === undefined) return value
  const separator = value.includes('.') ? '.' : ':'
  const base = separator === '.' ? 10 : 16
  const parts = (whole: string) => whole.split(separator).map((part) => Number.parseInt(part, base))
  const [old, mine, bits] = [parts(before), parts(value), parts(mask)]
  return bits
    .map((bit, at) =>
      (((old[at] ?? 0) & ~bit) | ((mine[at] ?? 0) & bit)).toString(base).padStart(base === 16 ? 2 : 1, '0'),
    )
    .join(separator)
}

/** Separates at commas outside of parentheses. */
function split(text: string): readonly string[] {
  const parts: string[] = []
  let depth = 0
  let part = ''
  for (const character of text) {
    if (character === '(') depth++
    if (character === ')') depth--
    if (character === ',' && depth === 0) {
      parts.push(part)
      part = ''
    } else part += character
  }
  return [...parts, part]
}

function departureOf(name: string, { fields, tags }: Header): Departure {
  const get = (key: string) => spell(fields.get(key) ?? '')
  return [
    name === 'br0' ? 'LOCAL' : name,
    `${get('dl_src')}>${get('dl_dst')}`,
    `vlan=${tags[0] ?? 'none'}`,
    tags.length > 1
      ? 'double'
      : [
          `${get('nw_src')}${get('ipv6_src')}${get('arp_spa')}>${get('nw_dst')}${get('ipv6_dst')}${get('arp_tpa')}`,
          `ttl=${get('nw_ttl')}`,
          `${get('tp_src')}>${get('tp_dst')}`,
        ].join(' '),
  ].join(' ')
}

/** The C library writes `::1.2.3.4` for `::102:304`. */
function spell(text: string): string {
  return /^[0-9a-f:]*::[0-9a-f.:]*$|^([0-9a-f]+:){7}[0-9a-f]+$/.test(text)
    ? formatAddress(addressValue(text as Address), familyOf(text))
    : text
}

function departureOfEnd({ port, frame }: End & { readonly kind: 'output' }): Departure {
  const isDouble = frame.etherType === 0x8100
  return [
    port,
    `${frame.sourceMac}>${frame.destinationMac}`,
    `vlan=${frame.vlan ?? 'none'}`,
    isDouble ? 'double' : network(frame),
  ].join(' ')
}

function network({ payload }: Frame): string {
  switch (payload.kind) {
    case 'other':
      return '> ttl= >'
    case 'arp':
      return `${payload.arp.senderAddress}>${payload.arp.targetAddress} ttl= >`
    case 'ip': {
      const { source, destination, hopLimit, ports, fragment } = payload.ip
      const isLater = fragment === 'later'
      const both = ports === undefined || isLater ? '>' : `${ports.source}>${ports.destination}`
      return `${source}>${destination} ttl=${hopLimit} ${both}`
    }
  }
}
