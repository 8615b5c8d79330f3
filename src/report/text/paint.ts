const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 }

export type Color = keyof typeof codes

/** Puts a colour around text that is already harmless (`plain`). */
export type Paint = (color: Color, text: string) => string

/** Colours by SGR codes, see ECMA-48, 8.3.117; or none. */
export function painter(color: boolean): Paint {
  return color ? (name, text) => `\u001b[${codes[name]}m${text}\u001b[0m` : (_, text) => text
}
