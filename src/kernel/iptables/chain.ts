import type { Family } from '../../net/address.ts'
import type { Rule } from './rule.ts'

/** The chains that the kernel itself calls, and in which we own one jump. */
export type Hook = 'FORWARD' | 'INPUT' | 'OUTPUT'

/** A chain of ours in the table `filter`. Names are at most 28 characters. */
export interface Chain {
  readonly name: string
  readonly rules: readonly Rule[]
}

/** The chain that a hook jumps to. */
export const entryChains: Readonly<Record<Hook, string>> = {
  FORWARD: 'gw-forward',
  INPUT: 'gw-input',
  OUTPUT: 'gw-output',
}

/** Where a guest's packet goes once its own outbound rules allow it. */
export const deliverChain = 'gw-deliver'

/** Rules on what a guest sends. */
export function outboundChain(port: string): string {
  return `gw-o-${port}`
}

/** Rules on what a guest receives. */
export function inboundChain(port: string): string {
  return `gw-i-${port}`
}

/** Key of a chain, ours or the kernel's: `4 filter gw-forward`. */
export function chainKey(family: Family, chain: string): string {
  return `${family} filter ${chain}`
}

/** Reads `chainKey` back. */
export function parseChainKey(key: string): { readonly family: Family; readonly chain: string } {
  const [family, , chain = ''] = key.split(' ')
  return { family: family === '4' ? 4 : 6, chain }
}

export function isHook(chain: string): chain is Hook {
  return chain in entryChains
}
