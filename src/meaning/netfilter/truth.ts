/** Something that the packet does not tell, or that we do not understand. */
export interface Doubt {
  readonly why: string
}

/** Does it match? A doubt is an answer of its own: never taken for yes or no. */
export type Truth = boolean | Doubt

/** The answer "nobody can say", and why. */
export function doubt(why: string): Doubt {
  return { why }
}

/** `!`: a doubt stays one. */
export function negateIf(isNegated: boolean, truth: Truth): Truth {
  return typeof truth === 'boolean' ? truth !== isNegated : truth
}

/** Yes when any is, else the first doubt, else no. */
export function anyOf(truths: Iterable<Truth>): Truth {
  let unsure: Doubt | undefined
  for (const truth of truths) {
    if (truth === true) return true
    if (truth !== false) unsure ??= truth
  }
  return unsure ?? false
}
