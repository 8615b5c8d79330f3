import type { Action, ConjunctionPart, Ct } from './action.ts'
import { type Prerequisite, type Subfield, bitsOf, fieldNamed, parseSubfield } from './field.ts'
import { splitList } from './split.ts'
import {
  type PortNumbers,
  parseNumber,
  parsePort,
  parseSmallNumber,
  parseValue,
  reservedPorts,
} from './value.ts'
import { last } from './words.ts'

/** Actions nested deeper than this are not read: nobody writes them, and the text is not ours. */
const depthLimit = 16

/** Reads what follows `actions=`. What is not understood becomes an `unknown` action: nothing is left out. */
export function parseActions(text: string, portNumber: PortNumbers): readonly Action[] {
  return parseList(text, { portNumber, depth: 0 })
}

interface Reader {
  readonly portNumber: PortNumbers
  readonly depth: number
}

function parseList(text: string, reader: Reader): readonly Action[] {
  if (text === 'drop' || text === '') return []
  const parts = reader.depth > depthLimit ? undefined : splitList(text)
  return parts === undefined
    ? [unknown(text)]
    : parts.map((part) => parseAction(part, reader) ?? unknown(part))
}

function unknown(text: string): Action {
  return { kind: 'unknown', why: `action "${text.slice(0, 100)}"` }
}

/** The name of an action stands before `(` or `:`; what follows is its argument, without the parentheses. */
function parseAction(text: string, reader: Reader): Action | undefined {
  const [, name = '', rest = ''] = /^([A-Za-z0-9_]+)(.*)$/s.exec(text) ?? []
  const isCall = rest.startsWith('(') && rest.endsWith(')')
  const argument = isCall ? rest.slice(1, -1) : rest.startsWith(':') ? rest.slice(1) : undefined
  if (argument === undefined && rest !== '') return parseArrow(name, rest) ?? parseBarePort(text, reader)
  const parse = Object.hasOwn(parsers, name.toLowerCase()) ? parsers[name.toLowerCase()] : undefined
  return parse?.(argument ?? '', reader) ?? parseBarePort(text, reader)
}

/** Actions by name. Each gives `undefined` when it does not understand the argument. */
const parsers: Readonly<Record<string, (argument: string, reader: Reader) => Action | undefined>> = {
  output: parseOutput,
  // `enqueue:1:5`, before Open vSwitch 2.0 `enqueue:1q5`.
  enqueue: (text, reader) => toPort(/^(.+)[:,q]\d+$/.exec(text)?.[1] ?? '', reader),
  controller: (text) =>
    /\bpause\b/.test(text) ? { kind: 'unknown', why: 'action "controller(pause)"' } : { kind: 'nothing' },
  resubmit: parseResubmit,
  goto_table: (text) => withTable(text, (table) => ({ kind: 'resubmit', table })),
  set_field: parseSetField,
  load: parseLoad,
  move: parseMove,
  push: (text) => withSubfield(text, (from) => ({ kind: 'push', from })),
  pop: (text) => withSubfield(text, (to) => ({ kind: 'pop', to })),
  write_metadata: (text, reader) => setWhole('metadata', text, 'none', reader),
  set_tunnel: (text, reader) => setWhole('tun_id', text, 'none', reader),
  set_tunnel64: (text, reader) => setWhole('tun_id', text, 'none', reader),
  mod_vlan_vid: (text) => setTag(text, 'vid', 'none'),
  set_vlan_vid: (text) => setTag(text, 'vid', 'tag'),
  mod_vlan_pcp: (text) => setTag(text, 'pcp', 'none'),
  set_vlan_pcp: (text) => setTag(text, 'pcp', 'tag'),
  push_vlan: () => ({ kind: 'push-vlan' }),
  pop_vlan: () => ({ kind: 'pop-vlan' }),
  strip_vlan: () => ({ kind: 'pop-vlan' }),
  mod_dl_src: (text, reader) => setWhole('eth_src', text, 'none', reader),
  mod_dl_dst: (text, reader) => setWhole('eth_dst', text, 'none', reader),
  mod_nw_src: (text, reader) => setWhole('ip_src', text, 'ipv4', reader),
  mod_nw_dst: (text, reader) => setWhole('ip_dst', text, 'ipv4', reader),
  mod_nw_tos: (text, reader) => setWhole('nw_tos', text, 'ip', reader),
  mod_nw_ecn: (text, reader) => setWhole('nw_ecn', text, 'ip', reader),
  mod_nw_ttl: (text, reader) => setWhole('nw_ttl', text, 'ip', reader),
  mod_tp_src: (text, reader) => setWhole('tp_src', text, 'ports', reader),
  mod_tp_dst: (text, reader) => setWhole('tp_dst', text, 'ports', reader),
  dec_ttl: () => ({ kind: 'decrement-hop-limit' }),
  ct: parseCt,
  ct_clear: () => ({ kind: 'ct-clear' }),
  clone: (text, reader) => ({ kind: 'clone', actions: nested(text, reader) }),
  write_actions: (text, reader) => ({ kind: 'write-actions', actions: nested(text, reader) }),
  clear_actions: () => ({ kind: 'clear-actions' }),
  exit: () => ({ kind: 'exit' }),
  conjunction: (text) => {
    const part = parseConjunction(text)
    return part === undefined ? undefined : { kind: 'conjunction', part }
  },
  multipath: (text) => withSubfield(splitList(text)?.at(-1) ?? '', (to) => ({ kind: 'forget', to })),
  // The fifth argument, before the members.
  bundle_load: (text) => withSubfield(splitList(text)?.[4] ?? '', (to) => ({ kind: 'forget', to })),
  learn: parseLearn,
  note: () => ({ kind: 'nothing' }),
  set_queue: () => ({ kind: 'nothing' }),
  pop_queue: () => ({ kind: 'nothing' }),
  sample: () => ({ kind: 'nothing' }),
  fin_timeout: () => ({ kind: 'nothing' }),
  debug_slow: () => ({ kind: 'nothing' }),
  group: (text) => ({ kind: 'unknown-copy', why: `action "group:${text.slice(0, 20)}"` }),
  bundle: () => ({ kind: 'unknown-copy', why: 'action "bundle"' }),
}

function nested(text: string, reader: Reader): readonly Action[] {
  return parseList(text, { ...reader, depth: reader.depth + 1 })
}

/** `check_pkt_larger(1500)->NXM_NX_REG0[0]`. */
function parseArrow(name: string, rest: string): Action | undefined {
  const to = /^\(\d+\)->(.+)$/.exec(rest)?.[1]
  return name === 'check_pkt_larger' && to !== undefined
    ? withSubfield(to, (subfield) => ({ kind: 'forget', to: subfield }))
    : undefined
}

/** `LOCAL`, `NORMAL`, `CONTROLLER:65535`, a number or a name alone. */
function parseBarePort(text: string, reader: Reader): Action | undefined {
  return toPort(/^CONTROLLER:\d+$/.test(text) ? 'controller' : text, reader)
}

function parseOutput(text: string, reader: Reader): Action | undefined {
  const truncated = /^port=(.+),max_len=\d+$/.exec(text)?.[1]
  if (truncated !== undefined) return toPort(truncated, reader)
  return toPort(text, reader) ?? withSubfield(text, (from) => ({ kind: 'output-field', from }))
}

function toPort(text: string, { portNumber }: Reader): Action | undefined {
  const port = parsePort(text, portNumber)
  return port === undefined ? undefined : { kind: 'output', port }
}

/** `5`, `5,`, `,10`, `5,10`, `,10,ct`; the port may be a name. */
function parseResubmit(text: string, { portNumber }: Reader): Action | undefined {
  const [, portText = '', tableText = '', swap] =
    /^("(?:[^"\\]|\\.)*"|[^,]*)(?:,(\d*)(,ct)?)?$/.exec(text) ?? []
  if (swap !== undefined || (portText === '' && tableText === '')) return undefined
  const port = portText === '' ? reservedPorts.inPort : parsePort(portText, portNumber)
  const table = tableText === '' ? undefined : Number(tableText)
  if (port === undefined || (table !== undefined && table > 255)) return undefined
  return {
    kind: 'resubmit',
    ...(port === reservedPorts.inPort ? {} : { port }),
    ...(table === undefined || table === 255 ? {} : { table }),
  }
}

function withTable(text: string, make: (table: number) => Action): Action | undefined {
  return /^\d{1,3}$/.test(text) && Number(text) < 255 ? make(Number(text)) : undefined
}

function withSubfield(text: string, make: (subfield: Subfield) => Action): Action | undefined {
  const subfield = parseSubfield(text)
  return subfield === undefined ? undefined : make(subfield)
}

/** Fields of packets that never come here, and of tunnels: no match that we evaluate reads them. */
const foreignField = /^(tun_metadata\d+|tun_erspan_|tun_gtpu_|mpls_|nsh_|nshc\d)/

function parseSetField(text: string, reader: Reader): Action | undefined {
  const [, value = '', name = ''] = /^(.*)->([A-Za-z0-9_]+)(?:\[\])?$/.exec(text) ?? []
  const field = fieldNamed(name)
  if (field === undefined && foreignField.test(name)) return { kind: 'nothing' }
  return field === undefined ? parseLoad(text) : setWhole(name, value, field.requires, reader)
}

/** The field as a whole, or those of its bits that a mask names. */
function setWhole(
  name: string,
  text: string,
  requires: Prerequisite,
  { portNumber }: Reader,
): Action | undefined {
  const field = fieldNamed(name)
  const masked = field === undefined ? undefined : parseValue(field, text, portNumber)
  if (field === undefined || masked === undefined) return undefined
  const mask = field.name === 'nw_tos' ? masked.mask & 0xfcn : masked.mask
  const bits = bitsOf({ field, start: 0, width: field.width }, masked.value, mask)
  return { kind: 'set', bits, requires }
}

function parseLoad(text: string): Action | undefined {
  const [, valueText = '', to = ''] = /^(0x[0-9a-f]+|\d+)->(.+)$/.exec(text) ?? []
  const value = parseNumber(valueText)
  const subfield = parseSubfield(to)
  if (value === undefined || subfield === undefined || value >> BigInt(subfield.width) !== 0n)
    return undefined
  const mask = (1n << BigInt(subfield.width)) - 1n
  return { kind: 'set', bits: bitsOf(subfield, value, mask), requires: subfield.field.requires }
}

function parseMove(text: string): Action | undefined {
  const [from, to] = text.split('->').map(parseSubfield)
  return from === undefined || to === undefined || from.width !== to.width
    ? undefined
    : { kind: 'move', from, to }
}

/** Both also set the bit that says that there is a tag. */
function setTag(text: string, part: 'vid' | 'pcp', requires: Prerequisite): Action | undefined {
  const number = parseSmallNumber(text)
  if (number === undefined || number > (part === 'vid' ? 0xfff : 7)) return undefined
  const word = last('vlan')
  const bits =
    part === 'vid'
      ? { word, mask: 0x1fff, value: 0x1000 + number }
      : { word, mask: 0xf000, value: 0x1000 + number * 0x2000 }
  return { kind: 'set', bits: [bits], requires }
}

/** What it learns is not in the capture; only what it says of its success can matter to the packet. */
function parseLearn(text: string): Action | undefined {
  const result = (splitList(text) ?? []).find((part) => part.startsWith('result_dst='))
  return result === undefined
    ? { kind: 'nothing' }
    : withSubfield(result.slice('result_dst='.length), (to) => ({ kind: 'forget', to }))
}

function parseConjunction(text: string): ConjunctionPart | undefined {
  const [, id, clause, clauses] = /^(\d+),\s*(\d+)\/(\d+)$/.exec(text) ?? []
  const part = { id: Number(id), clause: Number(clause), clauses: Number(clauses) }
  const isValid = part.clause >= 1 && part.clause <= part.clauses && part.clauses <= 64
  return isValid ? part : undefined
}

function parseCt(text: string, reader: Reader): Action | undefined {
  const parts = splitList(text)
  if (parts === undefined) return undefined
  const ct: { -readonly [Key in keyof Ct]: Ct[Key] } = {
    commit: false,
    force: false,
    zone: 0,
    translates: 'no',
    exec: [],
  }
  for (const part of parts) {
    const [, name = '', value = ''] = /^([a-z]+)(?:=(.*))?$/.exec(part) ?? []
    const exec = /^exec\((.*)\)$/s.exec(part)?.[1]
    if (part === 'commit') ct.commit = true
    else if (part === 'force') ct.force = true
    else if (part === 'nat') ct.translates = 'known'
    else if (/^nat\(.*\)$/s.test(part)) ct.translates = 'new'
    else if (exec !== undefined) ct.exec = nested(exec, reader)
    else if (name === 'table' && /^\d{1,3}$/.test(value) && Number(value) < 255) ct.table = Number(value)
    else if (name === 'zone') {
      const zone = parseSmallNumber(value) ?? parseSubfield(value)
      if (zone === undefined) return undefined
      ct.zone = zone
    }
    // Which helper watches the connection matters to later connections only.
    else if (name !== 'alg') return undefined
  }
  return { kind: 'ct', ct }
}
