/** Transport ports `first` to `last`, both included, 0–65535. */
export interface PortRange {
  readonly first: number
  readonly last: number
}

/** A port with a mask, as Open vSwitch matches ports: those bits of `value` that are set in `mask` must be equal. */
export interface PortMask {
  readonly value: number
  readonly mask: number
}

/** Reads `443` or `9000-9010`. `undefined` when it is neither, out of 0–65535, or reversed. */
export function parsePorts(text: string): PortRange | undefined {
  const match = /^(0|[1-9]\d{0,4})(?:-(0|[1-9]\d{0,4}))?$/.exec(text)
  if (match === null) return undefined
  const first = Number(match[1])
  const last = match[2] === undefined ? first : Number(match[2])
  return first <= last && last <= 65535 ? { first, last } : undefined
}

/** `443`, or `9000-9010`. */
export function formatPorts(range: PortRange): string {
  return range.first === range.last ? `${range.first}` : `${range.first}-${range.last}`
}

/** The same ports as the fewest ranges, ascending. */
export function mergePorts(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = []
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = merged.at(-1)
    if (before === undefined || range.first > before.last + 1) merged.push(range)
    else if (range.last > before.last) merged[merged.length - 1] = { first: before.first, last: range.last }
  }
  return merged
}

/** The fewest masks that match exactly the ports of `range`, ascending. `0-65535` is one mask of no bits. */
export function portMasks(range: PortRange): readonly PortMask[] {
  const masks: PortMask[] = []
  let first = range.first
  while (first <= range.last) {
    let size = 1
    while (size < 65536 && first % (size * 2) === 0 && first + size * 2 - 1 <= range.last) size *= 2
    masks.push({ value: first, mask: 65536 - size })
    first += size
  }
  return masks
}
