/** `0x4001`, and `0` for zero: as printf(3) does with `%#x`. */
export function formatHex(value: number | bigint): string {
  return value === 0 || value === 0n ? '0' : `0x${value.toString(16)}`
}

/** Reads what `formatHex` writes, up to 32 bits. */
export function parseHex(text: string): number | undefined {
  return /^(0|0x[1-9a-f][0-9a-f]{0,7})$/.test(text) ? Number(text) : undefined
}
