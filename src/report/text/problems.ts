import { formatSource, type Problem, sortProblems } from '../../repo/problem.ts'
import { plain } from '../escape.ts'
import type { Paint } from './paint.ts'

/** One line per problem, as compilers print them: `file:line:column: error: what: what to do [code]`. */
export function formatProblems(problems: readonly Problem[], paint: Paint): readonly string[] {
  return sortProblems(problems).map(({ at, severity, message, code }) => {
    const word = paint(severity === 'error' ? 'red' : 'yellow', `${severity}:`)
    return `${paint('bold', `${plain(formatSource(at))}:`)} ${word} ${plain(message)} ${paint('dim', `[${plain(code)}]`)}`
  })
}
