import type { Problem, Source } from './problem.ts'
import { quote } from './quote.ts'
import { suggest } from './suggest.ts'

/** From here on no hints are searched for: a file with so many mistakes is wrong as a whole. */
const hintedProblems = 500

/** Adds an error. `message` is `what: what to do`. */
export function fail(problems: Problem[], code: string, at: Source, message: string): void {
  problems.push({ code, severity: 'error', at, message })
}

/** Adds a warning: it does not stop a run. */
export function warn(problems: Problem[], code: string, at: Source, message: string): void {
  problems.push({ code, severity: 'warning', at, message })
}

/** Adds `unknown group "wbe": did you mean "web"?`, with code `unknown-group`; without a near name, `otherwise` says what to do. */
export function failUnknown(
  problems: Problem[],
  unknown: { what: string; name: string; at: Source; known: Iterable<string>; otherwise: string },
): void {
  const near = problems.length < hintedProblems ? suggest(unknown.name, unknown.known) : undefined
  const advice = near === undefined ? unknown.otherwise : `did you mean ${quote(near)}?`
  const code = `unknown-${unknown.what.replaceAll(' ', '-')}`
  fail(problems, code, unknown.at, `unknown ${unknown.what} ${quote(unknown.name)}: ${advice}`)
}

/** Adds an error for a name that is taken: `set "office" is defined twice, first at policies/a.yaml:2:3: …`. */
export function failTwice(problems: Problem[], what: string, name: string, at: Source, first: Source): void {
  const place = `${first.file}:${first.line}:${first.column}`
  fail(
    problems,
    `duplicate-${what}`,
    at,
    `${what} ${quote(name)} is defined twice, first at ${place}: rename or remove one`,
  )
}
