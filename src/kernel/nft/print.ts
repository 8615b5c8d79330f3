import type { State } from '../backend.ts'
import { mapKey, tableKey } from './table.ts'

/** What `nft -s -p list table bridge gitwall` prints on a host that holds exactly this state; empty when there is no table. */
export function printNftTable(state: State): string {
  if (state.size === 0) return ''
  const objects = [...state].filter(([key]) => key !== tableKey)
  const blocks = objects.map(([key, text]) => {
    const lines = key === mapKey ? mapBody(text) : text.split('\n')
    return `\t${key} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`
  })
  return `table bridge gitwall {\n${blocks.join('\n')}}\n`
}

function mapBody(text: string): readonly string[] {
  const [header = '', ...elements] = text.split('\n')
  return elements.length === 0 ? [header] : [header, `elements = { ${elements.join(', ')} }`]
}
