import type { Frame } from './frame.ts'

/** One line that the packet met. */
export interface Hop {
  /** `br0 table=23`, `ip filter gw-i-tap101i0`, `bridge gitwall from-tap101i0`. */
  readonly where: string
  /** The flow or rule as the tool printed it. */
  readonly line: string
}

/** How one copy of the packet ended. */
export type End =
  /** Left by this port (`LOCAL` for the hypervisor itself), as this frame. */
  | { readonly kind: 'output'; readonly port: string; readonly frame: Frame; readonly by: Hop }
  /** Netfilter lets it pass the hook. */
  | { readonly kind: 'accept'; readonly by: Hop }
  | { readonly kind: 'drop'; readonly by: Hop }
  | { readonly kind: 'reject'; readonly how: string; readonly by: Hop }
  /** A line on the way is not understood and might decide: `why` names what is not. Never guessed. */
  | { readonly kind: 'unknown'; readonly why: string; readonly by: Hop }

/** What a state does with one packet: every line it met, in order, and every end. */
export interface Simulation {
  readonly hops: readonly Hop[]
  readonly ends: readonly End[]
}
