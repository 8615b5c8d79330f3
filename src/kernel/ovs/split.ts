/**
 * Splits at commas that are neither inside parentheses nor inside quotes, as ovs-ofctl(8) nests actions. An empty text has no
 * parts. Text that ends inside either is one part more, which nobody will understand.
 */
export function splitList(text: string): readonly string[] {
  if (text === '') return []
  const parts: string[] = []
  let depth = 0
  let isQuoted = false
  let start = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (isQuoted) {
      if (character === '\\') at++
      else if (character === '"') isQuoted = false
    } else if (character === '"') isQuoted = true
    else if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  return [...parts, text.slice(start)]
}
