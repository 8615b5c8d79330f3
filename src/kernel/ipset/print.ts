import type { State } from '../backend.ts'
import { parseSet } from './set.ts'

/** What `ipset save` prints on a host that holds exactly this state. See ipset(8). */
export function printSets(state: State): string {
  return [...state]
    .flatMap(([name, text]) => {
      const { header, members } = parseSet(text)
      return [`create ${name} ${header}\n`, ...members.map((member) => `add ${name} ${member}\n`)]
    })
    .join('')
}
