import { readFileSync } from 'node:fs'

/** What Python's ipaddress says, recorded by record-oracle.py. `null`: refused. */
export interface Oracle {
  readonly addresses: readonly (readonly [string, string | null])[]
  /** With host bits cleared. */
  readonly masked: readonly (readonly [string, string | null])[]
  /** Host bits refused. */
  readonly strict: readonly (readonly [string, string | null])[]
  readonly algebra: readonly Algebra[]
  readonly spans: readonly {
    readonly first: string
    readonly last: string
    readonly prefixes: readonly string[]
  }[]
}

interface Algebra {
  readonly left: readonly string[]
  readonly right: readonly string[]
  readonly aggregate: readonly string[]
  readonly subtract: readonly string[]
  /** For each of `left`: does it hold each of `right`? */
  readonly contains: readonly (readonly boolean[])[]
}

export const oracle = JSON.parse(
  readFileSync(new URL('../recorded/ipaddress.json', import.meta.url), 'utf8'),
) as Oracle
