import { type Truth, doubt } from './truth.ts'

/** 32 bits that rules write and read; those set in `unknown` nobody knows. */
export interface Mark {
  readonly value: number
  readonly unknown: number
}

/** What a packet carries when it comes in. */
export const noMark: Mark = { value: 0, unknown: 0 }

/** What a connection may carry that began before. */
export const unknownMark: Mark = { value: 0, unknown: 0xffffffff }

/** Is `mark & mask` equal to `value`? Known as soon as one known bit differs. */
export function matchesMark(mark: Mark, value: number, mask: number): Truth {
  const known = mask & ~mark.unknown
  if (((mark.value & known) ^ (value & ~mark.unknown)) !== 0) return false
  if ((mask & mark.unknown) === 0) return value === (value & mask) >>> 0
  return doubt('the mark was set by what we do not know')
}

/** `(mark & ~mask) ^ value`, the kernel's one way to change a mark (`xt_mark`, `xt_connmark`). */
export function setMark(mark: Mark, value: number, mask: number): Mark {
  return mixMark(mark, { value, unknown: 0 }, mask)
}

/** `(mark & ~mask) ^ other`. */
export function mixMark(mark: Mark, other: Mark, mask: number): Mark {
  return {
    value: ((mark.value & ~mask) ^ other.value) >>> 0,
    unknown: ((mark.unknown & ~mask) | other.unknown) >>> 0,
  }
}

/** The bits of `mask` alone. */
export function maskMark(mark: Mark, mask: number): Mark {
  return { value: (mark.value & mask) >>> 0, unknown: (mark.unknown & mask) >>> 0 }
}

/** Either of the two: bits that differ are unknown. */
export function eitherMark(one: Mark, other: Mark): Mark {
  return { value: one.value, unknown: (one.unknown | other.unknown | (one.value ^ other.value)) >>> 0 }
}
