/** Longest piece of user text that a message repeats, in characters. */
const quotedLength = 60

/** Control characters, bidirectional overrides, line separators, byte order marks and halves of surrogate pairs. */
const harmful =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff]|\p{Surrogate}/gu

/** `text` on one line without anything that a terminal would obey, cut to `length` characters. */
export function harmless(text: string, length: number): string {
  const shown = text.length > length ? `${text.slice(0, length - 1)}…` : text
  return shown.replace(harmful, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}

/** User text for a message: in quotes, harmless, short. */
export function quote(text: string): string {
  return `"${harmless(text, quotedLength)}"`
}

/** The first few of many names for a message: `"a", "b", … (12 in all)`. */
export function quoteList(names: Iterable<string>): string {
  const all = [...names]
  const shown = all.slice(0, 8).map(quote).join(', ')
  return all.length > 8 ? `${shown}, … (${all.length} in all)` : shown
}

/** Does `text` hold a character that could steer a terminal or reorder what a reviewer sees? Line feed and tab are fine. */
export function hasHarmful(text: string): boolean {
  return text.replace(/[\n\t]/g, '').search(harmful) !== -1
}
