import fc from 'fast-check'
import type { Frame, Tracking } from '../../../src/meaning/frame.ts'
import type { Address } from '../../../src/net/address.ts'
import type { Mac } from '../../../src/net/mac.ts'

/** Ports of the switch that the random flows speak of. */
export const ports = ['p1', 'p2', 'p3', 'p4'] as const
export const entryPorts = [...ports, 'LOCAL'] as const

const macs = ['02:00:00:00:00:01', '02:00:00:00:00:02', '01:00:5e:00:00:05', 'ff:ff:ff:ff:ff:ff']
const ipv4 = ['10.0.0.1', '10.0.0.2', '10.1.0.1', '192.0.2.200']
const ipv6 = [
  '2001:db8::1',
  '2001:db8::2',
  '2001:db8:1::1',
  'fe80::1',
  '::1.2.3.4'.replace('1.2.3.4', '102:304'),
]
const portNumbers = [22, 53, 80, 443, 1024, 40000]

const oneOf = <T>(...values: readonly T[]) => fc.constantFrom(...values)
const mac = oneOf(...macs).map((text) => text as Mac)
const v4 = oneOf(...ipv4).map((text) => text as Address)
const v6 = oneOf(...ipv6).map((text) => text as Address)
const portNumber = oneOf(...portNumbers)

const fragment = oneOf(
  'no' as const,
  'no' as const,
  'no' as const,
  'no' as const,
  'first' as const,
  'later' as const,
)

function ip(addresses: fc.Arbitrary<Address>, isV6: boolean): fc.Arbitrary<Frame['payload']> {
  const base = { source: addresses, destination: addresses, hopLimit: oneOf(1, 2, 64, 255), fragment }
  const withPorts = fc.record({
    ...base,
    protocol: oneOf(6, 17, 132),
    ports: fc.record({ source: portNumber, destination: portNumber, tcpFlags: oneOf(2, 16, 18, 0) }),
  })
  const icmp = fc.record({
    ...base,
    protocol: fc.constant(isV6 ? 58 : 1),
    icmp: fc.record({ type: isV6 ? oneOf(128, 129, 134) : oneOf(0, 3, 8), code: oneOf(0, 1) }),
  })
  const neighbour = fc.record({
    ...base,
    fragment: fc.constant('no' as const),
    protocol: fc.constant(58),
    icmp: fc.record({ type: oneOf(135, 136), code: fc.constant(0), target: v6, link: mac }),
  })
  const other = fc.record({ ...base, protocol: oneOf(47, 50, 89) })
  const any = isV6 ? fc.oneof(withPorts, icmp, neighbour, other) : fc.oneof(withPorts, withPorts, icmp, other)
  return any.map((packet) => ({ kind: 'ip', ip: packet }))
}

/** Frames whose every field has few values, so that flows of few values meet them. */
export const frames: fc.Arbitrary<Frame> = fc
  .tuple(
    mac,
    mac,
    oneOf(undefined, undefined, 10, 20, 0),
    fc.oneof(
      { weight: 4, arbitrary: ip(v4, false).map((payload) => ({ etherType: 0x0800, payload })) },
      { weight: 4, arbitrary: ip(v6, true).map((payload) => ({ etherType: 0x86dd, payload })) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(
            oneOf(0x0806, 0x0806, 0x8035),
            fc.record({
              operation: oneOf(1, 2, 3),
              senderMac: mac,
              senderAddress: v4,
              targetMac: mac,
              targetAddress: v4,
            }),
          )
          .map(([etherType, arp]) => ({ etherType, payload: { kind: 'arp' as const, arp } })),
      },
      {
        weight: 1,
        arbitrary: oneOf(0x88cc, 0x9000).map((etherType) => ({
          etherType,
          payload: { kind: 'other' as const },
        })),
      },
    ),
  )
  .map(([sourceMac, destinationMac, vlan, rest]) => ({
    sourceMac,
    destinationMac,
    ...(vlan === undefined ? {} : { vlan }),
    ...rest,
  }))

export const trackings: fc.Arbitrary<Tracking> = oneOf(
  'new',
  'new',
  'request',
  'reply',
  'related',
  'related-reply',
  'invalid',
)

/** What `ofproto/trace --ct-next` takes for it. */
export const ctNext: Readonly<Record<Exclude<Tracking, 'untracked'>, string>> = {
  new: 'trk,new',
  request: 'trk,est',
  reply: 'trk,est,rpl',
  related: 'trk,rel',
  'related-reply': 'trk,rel,rpl',
  invalid: 'trk,inv',
}

const register = oneOf(0, 1, 2, 3, 7, 15)
const smallHex = oneOf(0, 1, 2, 3, 5, 0x10, 0x80000000, 0xffffffff)

function masked(value: fc.Arbitrary<number>, mask: fc.Arbitrary<number>): fc.Arbitrary<string> {
  return fc
    .tuple(value, fc.option(mask, { nil: undefined }))
    .map(([one, bits]) => (bits === undefined ? hex(one) : `${hex((one & bits) >>> 0)}/${hex(bits)}`))
}

function hex(value: number): string {
  return `0x${value.toString(16)}`
}

/** Parts of a match that any packet may be asked for. */
const anyParts = [
  oneOf('1', '2', '3', 'LOCAL').map((port) => `in_port=${port}`),
  fc.tuple(register, masked(smallHex, oneOf(1, 3, 0xff, 0xf0000001))).map(([at, text]) => `reg${at}=${text}`),
  masked(oneOf(0, 1, 2), oneOf(1, 3)).map((text) => `metadata=${text}`),
  oneOf(
    ...['xxreg0=0x1/0x3', 'xreg1=0x200000000/0xf00000000', 'xreg0=0', 'reg3=0/0x1'],
    ...[
      '+trk',
      '-trk',
      '+trk+new',
      '+est',
      '-est',
      '+trk-new',
      '+inv',
      '+rpl',
      '-rpl+trk',
      '+rel',
      '-rel',
    ].map((state) => `ct_state=${state}`),
    ...['ct_zone=0', 'ct_zone=5', 'ct_zone=1'],
  ),
  oneOf(
    ...['dl_vlan=10', 'dl_vlan=20', 'vlan_tci=0x0000', 'vlan_tci=0x1000/0x1000', 'vlan_tci=0x0000/0x1fff'],
    ...[
      'dl_vlan=10,dl_vlan_pcp=0',
      'vlan_tci=0x1002/0x1002',
      'vlan_tci=0x0000/0x0fff',
      'dl_vlan_pcp=3',
      'vlan_vid=0x1000/0x1000',
    ],
  ),
  mac.map((one) => `dl_src=${one}`),
  mac.map((one) => `dl_dst=${one}`),
  oneOf(
    ...['dl_dst=01:00:00:00:00:00/01:00:00:00:00:00', 'dl_src=02:00:00:00:00:00/ff:ff:ff:ff:ff:00'],
    ...['dl_dst=00:00:00:00:00:00/01:00:00:00:00:00', 'dl_dst=00:00:00:00:00:01/00:00:00:00:00:03'],
  ),
]

const v4Prefix = fc.tuple(v4, oneOf('', '/8', '/16', '/24', '/255.0.0.255')).map(([one, mask]) => one + mask)
const v6Prefix = fc.tuple(v6, oneOf('', '/32', '/48', '/64', '/ffff::ffff')).map(([one, mask]) => one + mask)
const portMask = fc.oneof(
  portNumber.map(String),
  fc
    .tuple(portNumber, oneOf(0xfff0, 0xffc0, 0xfffe, 0x8000, 0x0001))
    .map(([one, mask]) => `${hex(one & mask)}/${hex(mask)}`),
)
const ipParts = [
  oneOf('nw_ttl=64', 'nw_ttl=1', 'nw_ttl=255'),
  oneOf(...['no', 'yes', 'first', 'later', 'not_later'].map((kind) => `nw_frag=${kind}`)),
]
const v4Parts = [...ipParts, v4Prefix.map((one) => `nw_src=${one}`), v4Prefix.map((one) => `nw_dst=${one}`)]
const v6Parts = [
  ...ipParts,
  v6Prefix.map((one) => `ipv6_src=${one}`),
  v6Prefix.map((one) => `ipv6_dst=${one}`),
]
const portParts = [portMask.map((one) => `tp_src=${one}`), portMask.map((one) => `tp_dst=${one}`)]
const tcpParts = [
  ...portParts,
  oneOf('tcp_flags=+syn', 'tcp_flags=+syn-ack', 'tcp_flags=-fin', 'tcp_flags=syn', 'tcp_flags=syn|ack'),
]

interface Kind {
  readonly keyword: string
  readonly parts: readonly fc.Arbitrary<string>[]
  readonly actions: readonly fc.Arbitrary<string>[]
}

const ctAction = fc.oneof(
  fc
    .tuple(
      oneOf('', 'commit,'),
      oneOf(1, 2, 3, 4),
      oneOf('', ',zone=5', ',zone=NXM_NX_REG1[0..15]', ',zone=1'),
    )
    .map(([commit, table, zone]) => `ct(${commit}table=${table}${zone})`),
  oneOf(
    'ct(commit)',
    'ct(commit,zone=5,exec(set_field:0x1->ct_mark))',
    'ct(zone=3)',
    'ct(commit,force,zone=1)',
  ),
)
const ipActions = [ctAction, oneOf('dec_ttl', 'ct_clear', 'mod_nw_tos:32', 'set_field:9->nw_ttl')]
const v4Actions = [
  ...ipActions,
  oneOf(
    'mod_nw_src:10.0.0.2',
    'set_field:10.1.0.1->ip_dst',
    'load:0xa000001->NXM_OF_IP_SRC[]',
    'move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]',
  ),
  oneOf('move:NXM_OF_IP_SRC[0..7]->NXM_NX_REG2[0..7]', 'set_field:192.0.2.0/255.255.255.0->ip_src'),
]
const v6Actions = [
  ...ipActions,
  oneOf(
    'set_field:2001:db8::2->ipv6_src',
    'move:NXM_NX_IPV6_SRC[]->NXM_NX_XXREG1[]',
    'move:NXM_NX_IPV6_SRC[0..31]->NXM_NX_REG0[]',
  ),
]
const transportActions = (name: 'tcp' | 'udp' | 'sctp') => [
  oneOf(
    'mod_tp_dst:80',
    'mod_tp_src:22',
    `set_field:443->${name}_dst`,
    `move:OXM_OF_${name.toUpperCase()}_SRC[]->NXM_NX_REG2[0..15]`,
  ),
]

const kinds: readonly Kind[] = [
  { keyword: '', parts: [], actions: [] },
  { keyword: '', parts: [], actions: [] },
  {
    keyword: 'ip',
    parts: [...v4Parts, oneOf('nw_proto=47', 'nw_proto=6', 'nw_proto=17')],
    actions: v4Actions,
  },
  { keyword: 'ipv6', parts: [...v6Parts, oneOf('nw_proto=44', 'nw_proto=17')], actions: v6Actions },
  ...(['tcp', 'udp', 'sctp'] as const).flatMap((name): readonly Kind[] => {
    const parts = name === 'tcp' ? tcpParts : portParts
    return [
      { keyword: name, parts: [...v4Parts, ...parts], actions: [...v4Actions, ...transportActions(name)] },
      {
        keyword: `${name}6`,
        parts: [...v6Parts, ...parts],
        actions: [...v6Actions, ...transportActions(name)],
      },
    ]
  }),
  {
    keyword: 'icmp',
    parts: [...v4Parts, oneOf('icmp_type=8', 'icmp_type=0', 'icmp_type=3,icmp_code=1')],
    actions: v4Actions,
  },
  {
    keyword: 'icmp6',
    parts: [
      ...v6Parts,
      oneOf('icmp_type=128', 'icmp_type=134', 'icmp_type=136,icmp_code=0'),
      v6Prefix.map((one) => `icmp_type=135,icmp_code=0,nd_target=${one}`),
      mac.map((one) => `icmp_type=136,icmp_code=0,nd_tll=${one}`),
      mac.map((one) => `icmp_type=135,icmp_code=0,nd_sll=${one}`),
    ],
    actions: v6Actions,
  },
  {
    keyword: 'arp',
    parts: [
      oneOf('arp_op=1', 'arp_op=2'),
      v4Prefix.map((one) => `arp_spa=${one}`),
      v4Prefix.map((one) => `arp_tpa=${one}`),
      mac.map((one) => `arp_sha=${one}`),
      mac.map((one) => `arp_tha=${one}`),
    ],
    actions: [
      oneOf(
        'move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]',
        'set_field:10.0.0.2->arp_spa',
        'move:NXM_NX_ARP_SHA[]->NXM_OF_ETH_DST[]',
      ),
    ],
  },
  { keyword: 'rarp', parts: [mac.map((one) => `arp_sha=${one}`)], actions: [] },
  { keyword: 'dl_type=0x88cc', parts: [], actions: [] },
]

const outputs = oneOf(
  ...[
    'output:1',
    'output:2',
    'output:3',
    'output:4',
    'output:77',
    'LOCAL',
    'IN_PORT',
    'ALL',
    'output:NXM_NX_REG0[0..15]',
  ],
  ...['output:NXM_NX_REG2[]', 'output(port=2,max_len=100)', 'CONTROLLER:128', 'enqueue:3:1'],
)
const anyAction: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: outputs },
  {
    weight: 4,
    arbitrary: oneOf(
      ...[
        'load:0x2->NXM_NX_REG0[]',
        'load:0x3->NXM_NX_REG2[0..15]',
        'load:0x1->NXM_NX_REG3[0]',
        'load:0x5->NXM_NX_REG1[]',
      ],
      ...['set_field:0x1->reg7', 'set_field:0x10/0xf0->reg15', 'set_field:0x1->metadata'],
      ...['set_field:0x300000001->xreg0', 'set_field:0x1/0x3->xxreg0', 'load:0x7->OXM_OF_PKT_REG1[4..36]'],
      ...['move:NXM_NX_REG0[0..7]->NXM_NX_REG1[8..15]', 'move:NXM_OF_IN_PORT[]->NXM_NX_REG2[0..15]'],
      ...[
        'move:NXM_NX_XXREG0[3..70]->NXM_NX_XXREG1[9..76]',
        'push:NXM_NX_REG0[]',
        'pop:NXM_NX_REG2[0..15]',
        'push:NXM_OF_ETH_DST[]',
      ],
      ...[
        'mod_dl_src:02:00:00:00:00:02',
        'set_field:02:00:00:00:00:01->eth_dst',
        'note:01.02',
        'set_queue:1',
        'pop_queue',
      ],
      ...[
        'set_field:01:00:00:00:00:00/01:00:00:00:00:00->eth_dst',
        'move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]',
        'load:0->NXM_OF_IN_PORT[]',
      ],
      ...[
        'move:NXM_OF_ETH_SRC[0..15]->NXM_NX_REG0[0..15]',
        'set_field:0x4->tun_id',
        'learn(table=60,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[])',
      ],
    ),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(oneOf('', '', '', '2', '3', 'LOCAL'), oneOf('+1', '+1', '+2', '+2', '+3'))
      .map(([port, table]) => `resubmit(${port},${table})`),
  },
  { weight: 1, arbitrary: oneOf('exit', 'clear_actions') },
)

/** `vlan`: tagged frames only, or frames that an action before has tagged. */
const tagging = oneOf(
  ...[
    'push_vlan:0x8100',
    'push_vlan:0x8100,set_field:4116->vlan_vid',
    'mod_vlan_vid:20',
    'mod_vlan_vid:30,mod_vlan_pcp:3',
  ],
)

const instructions = oneOf(
  '',
  '',
  '',
  'write_actions(output:2)',
  'write_actions(output:4,set_field:0x1->reg3,resubmit(,+1))',
  'clear_actions',
  'write_metadata:0x2/0x2',
  'clear_actions,write_actions(output:1),write_metadata:0x1',
)

/** Flows of `replace-flows`, each of another priority: OpenFlow does not say which of two equals wins. */
export const dumps: fc.Arbitrary<readonly string[]> = fc
  .tuple(
    fc.array(fc.tuple(oneOf(0, 0, 1, 2, 3), oneOf(...kinds).chain(flowOf)), {
      minLength: 8,
      maxLength: 40,
    }),
    // So that a frame does not end where it starts.
    fc.array(flowOf({ keyword: '', parts: [], actions: [] }, { isAny: true }), {
      minLength: 4,
      maxLength: 4,
    }),
  )
  .map(([flows, others]) => [
    ...flows.map(([table, rest], index) => `table=${table},priority=${1000 - index * 7},${rest(table)}`),
    ...others.map((rest, table) => `table=${table},priority=1,${rest(table)}`),
  ])

/** A packet that branches at every flow never ends. */
function fewJumps(actions: readonly string[]): readonly string[] {
  const jumps = actions.filter((action) => action.includes('+'))
  return actions.filter((action) => !jumps.slice(2).includes(action))
}

function rarely<T>(oneIn: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: oneIn - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })
}

function flowOf(kind: Kind, { isAny } = { isAny: false }): fc.Arbitrary<(table: number) => string> {
  const part = fc.oneof(...anyParts)
  const own = kind.parts.length === 0 ? part : fc.oneof(...kind.parts)
  const action = kind.actions.length === 0 ? anyAction : fc.oneof(anyAction, anyAction, ...kind.actions)
  return fc
    .tuple(
      fc.array(part, { maxLength: isAny ? 0 : 1 }),
      fc.array(own, { maxLength: isAny ? 0 : 2 }),
      fc.array(action, { minLength: isAny ? 2 : 0, maxLength: 5 }),
      rarely(5, fc.tuple(tagging, outputs)),
      rarely(6, fc.array(action, { minLength: 1, maxLength: 3 })),
      instructions,
      rarely(4, oneOf(1, 2)),
    )
    .map(([common, specific, actions, tags, cloned, instruction, skip]) => (table) => {
      const match = oneOfEach([kind.keyword, ...common, ...specific])
      const plain = actions.filter((one) => one !== 'clear_actions')
      const isTagged = /dl_vlan|vlan_tci=0x1|vlan_vid/.test(match)
      const list = [
        ...plain,
        ...(isTagged ? ['pop_vlan'] : []),
        ...(cloned === undefined
          ? []
          : [`clone(${cloned.filter((one) => one !== 'clear_actions').join(',') || 'output:3'})`]),
        ...(tags ?? []),
        // The instructions of OpenFlow 1.1, in their order.
        ...(instruction === '' ? [] : [instruction]),
        ...(skip === undefined ? [] : [`goto_table:${table + skip}`]),
      ]
      const text = fewJumps(list)
        .join(',')
        .replaceAll(/([,=])\+(\d)/g, (_, before, steps) => `${before}${table + Number(steps)}`)
      return `${match === '' ? '' : `${match},`}actions=${text === '' ? 'drop' : text}`
    })
}

/** A field may stand once in a match. */
function oneOfEach(parts: readonly string[]): string {
  const byName = new Map<string, string>()
  for (const part of parts.filter((one) => one !== '').flatMap((one) => one.split(','))) {
    const name = part.split('=')[0] ?? ''
    const family = /vlan/.test(name) ? 'vlan' : /^x*reg/.test(name) ? 'reg' : name
    if (!byName.has(family) || (family === 'vlan' && part.startsWith('dl_vlan_pcp')))
      byName.set(name === 'dl_vlan_pcp' ? name : family, part)
  }
  return [...byName.values()].join(',')
}
