/**
 * Splits at commas outside of parentheses, brackets and quotes. White space around the parts is dropped, and so are empty parts.
 * `undefined` when a parenthesis or a quote does not end: the text was cut off.
 */
export function splitList(text: string): readonly string[] | undefined {
  return split(text, (character) => character === ',')
}

/** `splitList` that takes blanks for separators too: how ovs-ofctl(8) puts attributes, flags and the match of a flow in one row. */
export function splitWords(text: string): readonly string[] | undefined {
  return split(text, (character) => character === ',' || character === ' ' || character === '\t')
}

function split(text: string, isSeparator: (character: string) => boolean): readonly string[] | undefined {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at)
    if (character === '"') {
      at = endOfQuote(text, at)
      if (at < 0) return undefined
    } else if (character === '(') depth++
    else if (character === ')') depth--
    else if (depth === 0 && isSeparator(character)) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
    if (depth < 0) return undefined
  }
  if (depth !== 0) return undefined
  return [...parts, text.slice(start)].map((part) => part.trim()).filter((part) => part !== '')
}

/** Position of the quote that ends the one at `start`; -1 when there is none. Names are quoted as in JSON. */
function endOfQuote(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const character = text.charAt(at)
    if (character === '\\') at++
    else if (character === '"') return at
  }
  return -1
}

/** Position of `needle` outside of quotes; -1 when it is not there. */
export function indexOutsideQuotes(text: string, needle: string): number {
  if (!text.includes('"')) return text.indexOf(needle)
  for (let at = 0; at < text.length; at++) {
    if (text.startsWith(needle, at)) return at
    if (text.charAt(at) === '"') {
      at = endOfQuote(text, at)
      if (at < 0) return -1
    }
  }
  return -1
}
