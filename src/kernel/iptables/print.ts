import type { Family } from '../../net/address.ts'
import type { State } from '../backend.ts'
import { isHook, parseChainKey } from './chain.ts'

/**
 * What `iptables-save -t filter` (or ip6tables-save) prints on a host that holds exactly this state and nothing foreign: the
 * kernel's chains accept, our jumps stand first. See iptables-save(8).
 */
export function printTable(state: State, family: Family): string {
  const chains = [...state]
    .map(([key, text]) => ({ ...parseChainKey(key), text }))
    .filter((chain) => chain.family === family)
  const declared = [
    ...['INPUT', 'FORWARD', 'OUTPUT'].map((chain) => `:${chain} ACCEPT [0:0]`),
    ...chains.filter(({ chain }) => !isHook(chain)).map(({ chain }) => `:${chain} - [0:0]`),
  ]
  const rules = chains.flatMap(({ chain, text }) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `-A ${chain} ${isHook(chain) ? line.replace(/^\d+ /, '') : line}`),
  )
  return ['*filter', ...declared, ...rules, 'COMMIT', ''].join('\n')
}
