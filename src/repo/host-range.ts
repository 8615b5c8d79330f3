export type HostRange =
  | { readonly kind: 'names'; readonly names: readonly string[] }
  /** `what: what to do`. */
  | { readonly kind: 'refused'; readonly message: string }

/** Letters in Ansible's order: a range may go from lower to upper case. */
const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

/**
 * The names that `hv-[1:4]`, `web-[01:10:2]` or `[a:d]-[1:2]` stands for, at most `limit`; a name without brackets stands
 * for itself. Both ends are included. Source: ansible-core 2.14, expand_hostname_range.
 */
export function expandHostRange(text: string, limit: number): HostRange {
  let names = ['']
  let rest = text
  for (;;) {
    const match = /^([^[\]]*)(?:\[([^[\]]*)\])?/.exec(rest)
    const [whole = '', head = '', range] = match ?? []
    if (range === undefined && whole.length < rest.length)
      return refuse('a bracket has no pair: add or remove one')
    const values = range === undefined ? [''] : rangeValues(range, limit)
    if (typeof values === 'string') return refuse(values)
    if (names.length * values.length > limit) return refuse(tooMany(limit))
    names = names.flatMap((name) => values.map((value) => name + head + value))
    rest = rest.slice(whole.length)
    if (range === undefined) return { kind: 'names', names }
  }
}

/** The values of one `[first:last:step]`, or what is wrong with it. */
function rangeValues(range: string, limit: number): readonly string[] | string {
  const [first = '', last = '', stepText = '1', ...more] = range.split(':')
  if (!range.includes(':') || more.length > 0)
    return 'a range is [first:last] or [first:last:step]: correct it'
  const step = /^[1-9]\d{0,5}$/.test(stepText) ? Number(stepText) : 0
  if (step === 0) return 'the step of a range is a number from 1: correct it'
  const [from, to] = [letters.indexOf(first), letters.indexOf(last)]
  if (first.length === 1 && last.length === 1 && from !== -1 && to !== -1)
    return from > to ? backwards : everyNth(from, to, step).map((index) => letters.charAt(index))
  return numbers(first === '' ? '0' : first, last, step, limit)
}

function numbers(first: string, last: string, step: number, limit: number): readonly string[] | string {
  if (!/^\d{1,9}$/.test(first) || !/^\d{1,9}$/.test(last))
    return 'a range goes from a number to a number, or from a letter to a letter: correct it'
  const padded = first.length > 1 && first.startsWith('0')
  if (padded && first.length !== last.length)
    return 'with leading zeros both ends of a range have the same length: correct it'
  const [from, to] = [Number(first), Number(last)]
  // Ansible takes a reversed range of numbers for an empty one, and loses the hosts without a word.
  if (from > to) return backwards
  if ((to - from) / step >= limit) return tooMany(limit)
  return everyNth(from, to, step).map((value) =>
    padded ? String(value).padStart(first.length, '0') : String(value),
  )
}

const backwards = 'a range goes upwards: swap its ends'

function tooMany(limit: number): string {
  return `more than ${limit} hosts: use a smaller range`
}

function everyNth(from: number, to: number, step: number): readonly number[] {
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step)
}

function refuse(message: string): HostRange {
  return { kind: 'refused', message }
}
