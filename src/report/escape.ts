/**
 * Control characters (C0, C1, ESC, newline), line separators, lone surrogates, and everything that is invisible or turns the
 * direction of text around (bidi overrides, zero-width characters, tags): Unicode 15, general categories and
 * Default_Ignorable_Code_Point.
 */
const harmful = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

/** Text from a host or a repository made harmless on a terminal: one line, every harmful character as a visible `\u{1b}`. */
export function plain(text: string): string {
  return text.replace(harmful, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

/** JSON of `value` that is harmless on a terminal too: the same characters as JSON escapes, inside strings only. */
export function plainJson(value: unknown): string {
  // Newlines stand outside strings here: JSON.stringify has already escaped those within.
  return JSON.stringify(value, undefined, 2).replace(harmful, (character) =>
    character === '\n'
      ? character
      : [...Array(character.length).keys()].map((at) => unit(character, at)).join(''),
  )
}

function unit(character: string, at: number): string {
  return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
}
