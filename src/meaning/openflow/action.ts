import type { Prerequisite, Subfield } from './field.ts'
import type { Bits } from './words.ts'

/** What a flow does with a packet, as far as it can be told where the packet goes and as what. See ovs-actions(7). */
export type Action =
  /** Also to reserved ports, which have numbers too; see `reservedPorts`. */
  | { readonly kind: 'output'; readonly port: number }
  | { readonly kind: 'output-field'; readonly from: Subfield }
  /** Does nothing to a packet that is not of the kind that the field requires. */
  | { readonly kind: 'set'; readonly bits: readonly Bits[]; readonly requires: Prerequisite }
  | { readonly kind: 'move'; readonly from: Subfield; readonly to: Subfield }
  | { readonly kind: 'push'; readonly from: Subfield }
  | { readonly kind: 'pop'; readonly to: Subfield }
  /** Writes what depends on things that we do not know: a hash, a length. */
  | { readonly kind: 'forget'; readonly to: Subfield }
  | { readonly kind: 'push-vlan' }
  | { readonly kind: 'pop-vlan' }
  | { readonly kind: 'decrement-hop-limit' }
  /** Looks the packet up in `table` (default: the one at hand), as if it came from `port`, and comes back. */
  | { readonly kind: 'resubmit'; readonly port?: number; readonly table?: number }
  | { readonly kind: 'ct'; readonly ct: Ct }
  | { readonly kind: 'ct-clear' }
  | { readonly kind: 'clone'; readonly actions: readonly Action[] }
  | { readonly kind: 'write-actions'; readonly actions: readonly Action[] }
  | { readonly kind: 'clear-actions' }
  | { readonly kind: 'conjunction'; readonly part: ConjunctionPart }
  | { readonly kind: 'exit' }
  /** Changes neither the packet nor its way: `note`, `learn`, `controller`, `set_queue`, … */
  | { readonly kind: 'nothing' }
  /** A copy goes we do not know where, and the packet goes on as it is: `NORMAL`, `group`, … */
  | { readonly kind: 'unknown-copy'; readonly why: string }
  /** We do not know what becomes of the packet. */
  | { readonly kind: 'unknown'; readonly why: string }

/** `ct(…)`: gives the packet to conntrack. */
export interface Ct {
  readonly commit: boolean
  readonly force: boolean
  /** Where a copy of the packet goes on, tracked. */
  readonly table?: number
  readonly zone: number | Subfield
  /** `known`: translates packets of connections that were set up so. `new`: sets one up. */
  readonly translates: 'no' | 'known' | 'new'
  /** `ct_mark` and `ct_label`, of the connection. */
  readonly exec: readonly Action[]
}

/** `conjunction(id, clause/clauses)`: the flow is one clause of a match of several. `clause` counts from 1. */
export interface ConjunctionPart {
  readonly id: number
  readonly clause: number
  readonly clauses: number
}
