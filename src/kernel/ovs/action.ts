import { formatHex } from './hex.ts'
import { type Port, formatPort, formatRegisterPort, parsePort, parseRegisterPort } from './port.ts'
import { splitList } from './split.ts'

/** One action of ovs-actions(7), as far as we use them. */
export type Action =
  | { readonly kind: 'output'; readonly port: Port }
  /** To the port in `reg5`. */
  | { readonly kind: 'output-nic' }
  | { readonly kind: 'resubmit'; readonly table: number }
  | { readonly kind: 'set-nic'; readonly port: Port }
  | { readonly kind: 'set-network'; readonly network: number }
  /** Sets `reg7`: the sender may offer DHCP. */
  | { readonly kind: 'offer-dhcp' }
  /** Bits of `reg8`–`reg11` (`xxreg2`) or `reg12`–`reg15` (`xxreg3`), all 128 at once. */
  | { readonly kind: 'set-members'; readonly half: 2 | 3; readonly bits: bigint }
  | { readonly kind: 'push-vlan' }
  | { readonly kind: 'set-vlan'; readonly vlan: number }
  | { readonly kind: 'pop-vlan' }
  | { readonly kind: 'ct-clear' }
  /** Looks the packet up in the zone of `reg6` and goes on in `table` with what was found. */
  | { readonly kind: 'track'; readonly table: number }
  /** Makes the connection known in the zone of `reg6`. Later actions see the packet as untracked (since Open vSwitch 2.8). */
  | { readonly kind: 'commit' }

/** Goes on in another table, and comes back for the next action. */
export function resubmit(table: number): Action {
  return { kind: 'resubmit', table }
}

/** Sends the packet to a port, unless it came from there. */
export function output(port: Port): Action {
  return { kind: 'output', port }
}

const zone = 'zone=NXM_NX_REG6[0..15]'
/** OpenFlow 1.2 and later: bit 0x1000 of the field says that there is a tag. */
const tagPresent = 0x1000

/** Actions as `ovs-ofctl -O OpenFlow14` prints them; none is `drop`. */
export function formatActions(actions: readonly Action[]): string {
  return actions.length === 0 ? 'drop' : actions.map(formatAction).join(',')
}

/** Reads what `formatActions` writes. `undefined` when there is anything else in it (invariant 2). */
export function parseActions(text: string): readonly Action[] | undefined {
  if (text === 'drop') return []
  const actions = splitList(text).map(parseAction)
  if (!actions.every((action) => action !== undefined) || actions.length === 0) return undefined
  return formatActions(actions) === text ? actions : undefined
}

function formatAction(action: Action): string {
  switch (action.kind) {
    case 'output':
      return action.port.kind === 'local' ? 'LOCAL' : `output:${formatPort(action.port)}`
    case 'output-nic':
      return 'output:NXM_NX_REG5[]'
    case 'resubmit':
      return `resubmit(,${action.table})`
    case 'set-nic':
      return `set_field:${formatRegisterPort(action.port)}->reg5`
    case 'set-network':
      return `set_field:${formatHex(action.network)}->reg6`
    case 'offer-dhcp':
      return 'set_field:0x1->reg7'
    case 'set-members':
      return `set_field:${formatHex(action.bits)}->xxreg${action.half}`
    case 'push-vlan':
      return 'push_vlan:0x8100'
    case 'set-vlan':
      return `set_field:${tagPresent + action.vlan}->vlan_vid`
    case 'pop-vlan':
      return 'pop_vlan'
    case 'ct-clear':
      return 'ct_clear'
    case 'track':
      return `ct(table=${action.table},${zone})`
    case 'commit':
      return `ct(commit,${zone})`
  }
}

/** May accept more than `formatAction` writes: the caller formats again and compares. */
function parseAction(text: string): Action | undefined {
  switch (text) {
    case 'LOCAL':
      return { kind: 'output', port: { kind: 'local' } }
    case 'output:NXM_NX_REG5[]':
      return { kind: 'output-nic' }
    case 'push_vlan:0x8100':
      return { kind: 'push-vlan' }
    case 'pop_vlan':
      return { kind: 'pop-vlan' }
    case 'ct_clear':
      return { kind: 'ct-clear' }
    case `ct(commit,${zone})`:
      return { kind: 'commit' }
  }
  if (text.startsWith('output:')) return withPort('output', parsePort(text.slice('output:'.length)))
  const table = /^(?:resubmit\(,|ct\(table=)(\d{1,3})(\)|,)/.exec(text)
  if (table !== null) return { kind: table[2] === ')' ? 'resubmit' : 'track', table: Number(table[1]) }
  const set = /^set_field:(.*)->([a-z0-9_]+)$/.exec(text)
  return set === null ? undefined : parseSetField(set[1] ?? '', set[2] ?? '')
}

function parseSetField(value: string, field: string): Action | undefined {
  if (field === 'reg5') return withPort('set-nic', parseRegisterPort(value))
  if (!/^(0|0x[0-9a-f]{1,32}|[1-9]\d{0,4})$/.test(value)) return undefined
  switch (field) {
    case 'reg6':
      return { kind: 'set-network', network: Number(value) }
    case 'reg7':
      return { kind: 'offer-dhcp' }
    case 'xxreg2':
      return { kind: 'set-members', half: 2, bits: BigInt(value) }
    case 'xxreg3':
      return { kind: 'set-members', half: 3, bits: BigInt(value) }
    case 'vlan_vid':
      return { kind: 'set-vlan', vlan: Number(value) - tagPresent }
    default:
      return undefined
  }
}

function withPort(kind: 'output' | 'set-nic', port: Port | undefined): Action | undefined {
  return port === undefined ? undefined : { kind, port }
}
