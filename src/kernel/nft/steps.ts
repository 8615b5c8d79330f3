import type { Change, Step } from '../backend.ts'
import { mapKey, tableKey } from './table.ts'

const table = 'bridge gitwall'

/**
 * One transaction: changed chains are emptied and written anew, the map changes by elements, what is lost goes last, when
 * nothing leads to it any more. See nft(8); a file read with `-f` is applied as a whole or not at all.
 */
export function stepsFor(changes: readonly Change[]): readonly Step[] {
  if (changes.length === 0) return []
  if (changes.some(({ op, key }) => op === 'remove' && key === tableKey)) return run([`delete table ${table}`])
  const own = changes.filter(({ key }) => key !== tableKey)
  const map = own.filter(({ key }) => key === mapKey && !isNewHeader(own, key))
  const others = own.filter((change) => !map.includes(change))
  const written = others.flatMap((change) => (change.op === 'remove' ? [] : [block(change.key, change.after)]))
  return run([
    `add table ${table}`,
    ...map.flatMap(lostElements),
    ...others.filter(({ op }) => op === 'replace').flatMap((change) => clear(change)),
    ...written,
    ...map.flatMap(wonElements),
    ...others.filter(({ op }) => op === 'remove').map(({ key }) => `flush ${nameOf(key)}`),
    ...others.filter(({ op }) => op === 'remove').map(({ key }) => `delete ${nameOf(key)}`),
  ])
}
