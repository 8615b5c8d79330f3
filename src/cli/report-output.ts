import { backends } from '../backends.ts'
import type { Report } from '../plan/outcome.ts'
import type { RuleIdsOf } from '../report/attribution.ts'
import { formatJson } from '../report/json/report.ts'
import { formatText } from '../report/text/report.ts'
import type { Options } from './options.ts'
import { hasColor, writeOut } from './output.ts'

/** Text for people or JSON for programs, as was asked for, to stdout or `--output`. */
export async function writeReport(report: Report, options: Options): Promise<void> {
  const text =
    options.format === 'json'
      ? formatJson(report, { ruleIdsOf })
      : reportText(report, options, process.stdout)
  await writeOut(text, options)
}

/** The report for people, in colour where `stream` takes it. */
export function reportText(report: Report, options: Options, stream: NodeJS.WriteStream): string {
  const color = hasColor(options, stream)
  return formatText(report, { color, detail: options.verbose ? 'full' : 'brief', ruleIdsOf })
}

const ruleIdsOf: RuleIdsOf = (kind, text) =>
  backends.find((backend) => backend.name === kind)?.ruleIds(text) ?? []
