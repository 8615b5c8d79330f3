import { type Coverage, coveragePercent } from '../../meaning/coverage.ts'
import { formatSource } from '../../repo/problem.ts'
import { plain } from '../escape.ts'
import type { Paint } from './paint.ts'

/** One line per rule that no policy test exercises, then the share of those that one does. */
export function formatCoverage(coverage: Coverage, paint: Paint): readonly string[] {
  const lines = coverage.missing.map(({ origin }) => {
    const { firewall, direction, name, source } = origin
    return `${paint('bold', plain(`${formatSource(source)}:`))} no test exercises ${plain(`${direction} rule "${name}" of firewall "${firewall}"`)}`
  })
  return [
    ...lines,
    `coverage: ${coverage.exercised} of ${coverage.rules} rules (${coveragePercent(coverage)} %)`,
  ]
}
