import type { Frame, Tracking } from '../frame.ts'
import type { End, Hop } from '../simulation.ts'
import type { Action, Ct } from './action.ts'
import { actionsOfSet } from './action-set.ts'
import { clearTracking, setTracking } from './conntrack.ts'
import { type Subfield, nameOfWord, readNumber, readSubfield, writeSubfield } from './field.ts'
import { hopLimitLeft, isIp, isMet } from './prerequisite.ts'
import { find } from './look-up.ts'
import { isBlurred, tagBit, writeFrame } from './packet.ts'
import type { Table } from './table.ts'
import { reservedPorts } from './value.ts'
import { type Words, copyWords, first, last, setBits } from './words.ts'

/** What a run of one frame needs to know of the bridge. */
export interface Bridge {
  readonly name: string
  table(number: number): Table
  /** `LOCAL` for the bridge's own; `undefined` when there is no such port: Open vSwitch then sends nothing. */
  portName(number: number): string | undefined
  readonly portNumbers: readonly number[]
  /** Does any flow translate addresses? */
  readonly mayTranslate: boolean
}

/** One frame on its way; `hops` and `ends` grow. */
export interface Run {
  readonly bridge: Bridge
  readonly frame: Frame
  readonly before: Words
  readonly tracking: Tracking
  readonly hops: Hop[]
  readonly ends: End[]
  /** Actions executed so far. */
  steps: number
}

/** Limits of Open vSwitch, for each way from port or conntrack to the end. See ovs-actions(7), "Error Handling". */
const depthLimit = 64
const resubmitLimit = 4096
/** Userspace datapath: lib/dpif-netdev.c, `MAX_RECIRC_DEPTH`. The kernel's limit is another. */
const recirculationLimit = 6
/** Bytes of datapath actions after which a resubmit does nothing any more, `xlate_resubmit_resource_check`. We only estimate them, high. */
const sizeLimit = 65_535
const bytes = { output: 8, tag: 16, header: 80, ct: 100 } as const
/** Ours: far above what a packet can meet that is not lost in a loop of `ct`. */
const stepLimit = 100_000

/** From a port or from conntrack to the end: Open vSwitch counts its limits, and forgets its errors, once for each. */
interface Pass {
  readonly run: Run
  words: Words
  stack: { readonly value: bigint; readonly unknown: bigint }[]
  actionSet: Action[]
  table: number
  /** Flow whose actions are being executed. */
  hop: Hop
  /** Flow that was met last. */
  met: Hop
  depth: number
  resubmits: number
  /** Bytes of datapath actions so far, about. */
  size: number
  /** `exit`: that was all. `failed`: nor is there anything that was left for the end. */
  stop?: 'exit' | 'failed'
  readonly firstEnd: number
  /** How often it went through conntrack. */
  readonly recirculations: number
}

/** Follows the frame from its port to every end. */
export function enter(run: Run): void {
  startPass(run, { words: copyWords(run.before), stack: [], actionSet: [], recirculations: 0 }, 0)
  const by = run.hops.at(-1)
  if (run.ends.length === 0 && by !== undefined) run.ends.push({ kind: 'drop', by })
}

function startPass(
  run: Run,
  start: Pick<Pass, 'words' | 'stack' | 'actionSet' | 'recirculations'>,
  table: number,
): void {
  const hop = { where: `${run.bridge.name} table=${table}`, line: '' }
  const pass: Pass = {
    run,
    ...start,
    table,
    hop,
    met: hop,
    depth: 0,
    resubmits: 0,
    size: 0,
    firstEnd: run.ends.length,
  }
  visit(pass, table)
  finish(pass)
}

/** Looks the packet up in a table and executes what it finds. */
function visit(pass: Pass, table: number, port?: number): void {
  const { run } = pass
  const found = find(run.bridge.table(table), pass, port)
  const { hop: oldHop, table: oldTable } = pass
  pass.table = table
  if (found.kind === 'unknown') fail(pass, found.why, found.flow.hop)
  else {
    pass.hop =
      found.kind === 'flow'
        ? found.flow.hop
        : { where: `${run.bridge.name} table=${table}`, line: 'no flow matches' }
    pass.met = pass.hop
    run.hops.push(pass.hop)
    if (found.kind === 'flow') execute(pass, found.flow.actions)
  }
  pass.hop = oldHop
  pass.table = oldTable
}

/** Nothing more can be told of this pass. */
function fail(pass: Pass, why: string, by: Hop): void {
  pass.run.ends.push({ kind: 'unknown', why, by })
  pass.stop = 'failed'
}

function resubmit(pass: Pass, table: number, port?: number): void {
  if (pass.depth >= depthLimit || pass.resubmits >= resubmitLimit) {
    // Open vSwitch 3.1 then drops all of the pass (xlate_actions, `ofpbuf_clear`), though ovs-actions(7) says that outputs stay.
    pass.run.ends.length = pass.firstEnd
    pass.stop = 'failed'
    return
  }
  if (pass.size > sizeLimit) return fail(pass, 'more datapath actions than fit', pass.hop)
  const deeper = table <= pass.table ? 1 : 0
  pass.resubmits++
  pass.depth += deeper
  visit(pass, table, port)
  pass.depth -= deeper
}

/** What was left for the end by `write_actions`. */
function finish(pass: Pass): void {
  if (pass.stop !== undefined) return
  const actions = actionsOfSet(pass.actionSet)
  pass.actionSet = []
  const { hop } = pass
  pass.hop = pass.met
  execute(pass, actions)
  pass.hop = hop
}

function execute(pass: Pass, actions: readonly Action[]): void {
  for (const action of actions) {
    if (pass.stop !== undefined) return
    if (++pass.run.steps > stepLimit) return fail(pass, `more than ${stepLimit} actions`, pass.hop)
    // The rest of this flow only: outer flows go on. See ovs-actions(7), `dec_ttl`.
    if (action.kind === 'decrement-hop-limit' && decrementHopLimit(pass) === 'expired') return
    executeOne(pass, action)
  }
}

function executeOne(pass: Pass, action: Action): void {
  switch (action.kind) {
    case 'output':
      return output(pass, action.port)
    case 'output-field':
      return outputField(pass, action.from)
    case 'set':
      return set(pass, action)
    case 'move':
      return move(pass, action)
    case 'push':
      pass.stack.push(readSubfield(pass.words, action.from))
      return
    case 'pop': {
      const top = pass.stack.pop()
      if (top !== undefined) writeSubfield(pass.words, action.to, top)
      return
    }
    case 'forget':
      return writeSubfield(pass.words, action.to, {
        value: 0n,
        unknown: (1n << BigInt(action.to.width)) - 1n,
      })
    case 'push-vlan':
      return pushVlan(pass)
    case 'pop-vlan':
      return popVlan(pass)
    case 'resubmit':
      return resubmit(pass, action.table ?? pass.table, action.port)
    case 'ct':
      return track(pass, action.ct)
    case 'ct-clear':
      return clearTracking(pass.words)
    case 'clone':
      return clone(pass, action.actions)
    case 'write-actions':
      pass.actionSet.push(...action.actions)
      return
    case 'clear-actions':
      pass.actionSet = []
      return
    case 'exit':
      pass.stop = 'exit'
      return
    case 'unknown-copy':
      pass.run.ends.push({ kind: 'unknown', why: action.why, by: pass.hop })
      return
    case 'unknown':
      return fail(pass, action.why, pass.hop)
    case 'conjunction':
    case 'decrement-hop-limit':
    case 'nothing':
      return
  }
}

/** What `clone` does to the packet stays inside; that it stopped does not. */
function clone(pass: Pass, actions: readonly Action[]): void {
  const { words, stack, actionSet } = pass
  pass.words = copyWords(words)
  pass.stack = [...stack]
  pass.actionSet = [...actionSet]
  execute(pass, actions)
  finish(pass)
  pass.words = words
  pass.stack = stack
  pass.actionSet = actionSet
}

function output(pass: Pass, port: number): void {
  const { run, words } = pass
  const inPort = words.value[last('inPort')] ?? 0
  if ((words.unknown[last('inPort')] ?? 0) !== 0)
    return fail(pass, 'the port it came from is not known', pass.hop)
  switch (port) {
    case reservedPorts.inPort:
      return deliver(pass, inPort)
    case reservedPorts.table:
      return resubmit(pass, 0)
    case reservedPorts.normal:
    case reservedPorts.flood: {
      const name = port === reservedPorts.normal ? 'NORMAL' : 'FLOOD'
      run.ends.push({
        kind: 'unknown',
        why: `action "${name}": the switch decides by what it learned`,
        by: pass.hop,
      })
      return
    }
    case reservedPorts.all:
      for (const number of run.bridge.portNumbers) if (number !== inPort) deliver(pass, number)
      return
    case reservedPorts.controller:
    case reservedPorts.none:
      return
    default:
      // Never back to where it came from, unless asked for by that name. See ovs-actions(7), "Output to the Input Port".
      if (port !== inPort) deliver(pass, port)
  }
}

function outputField(pass: Pass, from: Subfield): void {
  const port = readNumber(pass.words, from)
  if (port === undefined) return fail(pass, `the port in ${from.field.name} is not known`, pass.hop)
  if (port <= 0xffff) output(pass, port)
}

function deliver(pass: Pass, port: number): void {
  const { run, words, hop } = pass
  const name = run.bridge.portName(port)
  if (name === undefined) return
  pass.size += bytes.output
  run.ends.push(
    isBlurred(words, run.before)
      ? { kind: 'unknown', why: `what is written into the frame for port ${name} is not known`, by: hop }
      : { kind: 'output', port: name, frame: writeFrame(words, run.frame, run.before), by: hop },
  )
}

function set(pass: Pass, { bits, requires }: Action & { readonly kind: 'set' }): void {
  const met = isMet(requires, pass)
  if (met === undefined)
    return fail(pass, `whether the packet has what "${requires}" asks for is not known`, pass.hop)
  if (!met) return
  for (const part of bits) setBits(pass.words, part)
  if (bits.some(({ word }) => word >= first.vlan)) pass.size += bytes.header
}

function move(pass: Pass, { from, to }: Action & { readonly kind: 'move' }): void {
  const met = [isMet(from.field.requires, pass), isMet(to.field.requires, pass)]
  if (met.includes(undefined))
    return fail(pass, `whether the packet has ${from.field.name} and ${to.field.name} is not known`, pass.hop)
  if (met.includes(false)) return
  writeSubfield(pass.words, to, readSubfield(pass.words, from))
  pass.size += bytes.header
}

function decrementHopLimit(pass: Pass): 'expired' | 'done' {
  const left = hopLimitLeft(pass)
  if (left === undefined) fail(pass, `${nameOfWord(last('hopLimit'))} is not known`, pass.hop)
  if (left === undefined || left === 'none') return 'done'
  if (left <= 1) return 'expired'
  setBits(pass.words, { word: last('hopLimit'), mask: 0xff, value: left - 1 })
  pass.size += bytes.header
  return 'done'
}

function pushVlan(pass: Pass): void {
  const { value, unknown } = pass.words
  const [outer, inner] = [last('vlan'), last('innerVlan')]
  if (((value[inner] ?? 0) & tagBit) !== 0) return fail(pass, 'a third VLAN tag', pass.hop)
  pass.size += bytes.tag
  value[inner] = value[outer] ?? 0
  unknown[inner] = unknown[outer] ?? 0
  setBits(pass.words, { word: outer, mask: 0xffff, value: tagBit })
}

function popVlan(pass: Pass): void {
  const { value, unknown } = pass.words
  const [outer, inner] = [last('vlan'), last('innerVlan')]
  if (((value[outer] ?? 0) & tagBit) === 0) return
  pass.size += bytes.tag
  for (const row of [value, unknown]) {
    row[outer] = row[inner] ?? 0
    row[inner] = 0
  }
}

/** A copy goes through conntrack to `table`, if any; this one goes on untracked. See ovs-actions(7), "The ct action". */
function track(pass: Pass, ct: Ct): void {
  const { run, words } = pass
  const isFresh = run.tracking === 'new' || run.tracking === 'invalid' || run.tracking === 'untracked'
  pass.size += bytes.ct
  if (!isIp(words)) return fail(pass, 'action "ct" on what is no IP packet', pass.hop)
  if (ct.translates === 'new' || (ct.translates === 'known' && !isFresh))
    return fail(pass, 'action "ct(nat)"', pass.hop)
  if (ct.table !== undefined) fork(pass, ct, ct.table)
  clearTracking(words)
}

function fork(pass: Pass, ct: Ct, table: number): void {
  const { run, recirculations } = pass
  const why = whyNotForked(pass, ct)
  if (why !== undefined) return fail(pass, why, pass.hop)
  const words = copyWords(pass.words)
  const zone = typeof ct.zone === 'number' ? ct.zone : readNumber(pass.words, ct.zone)
  setTracking(words, { tracking: run.tracking, zone, mayTranslate: run.bridge.mayTranslate })
  for (const action of ct.exec) {
    if (action.kind === 'set') for (const part of action.bits) setBits(words, part)
    if (action.kind === 'move') writeSubfield(words, action.to, readSubfield(words, action.from))
  }
  startPass(
    run,
    { words, stack: [...pass.stack], actionSet: [...pass.actionSet], recirculations: recirculations + 1 },
    table,
  )
}

function whyNotForked({ run, words, recirculations }: Pass, ct: Ct): string | undefined {
  if (recirculations >= recirculationLimit) return `more than ${recirculationLimit} times through conntrack`
  if (ct.force && run.tracking.endsWith('reply')) return 'action "ct(force)" on a reply'
  if (((words.value[last('innerVlan')] ?? 0) & tagBit) !== 0)
    return 'action "ct" on a frame with two VLAN tags'
  if (!ct.exec.every(({ kind }) => kind === 'set' || kind === 'move')) return 'action "ct(exec)"'
  return undefined
}
