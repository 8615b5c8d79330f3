import { hasErrors } from '../compile.ts'
import { type Coverage, coverageOf } from '../meaning/coverage.ts'
import { lint } from '../meaning/lint.ts'
import { formatProblemsJson } from '../report/json/problems.ts'
import { formatCoverage } from '../report/text/coverage.ts'
import { formatProblems } from '../report/text/problems.ts'
import { type ExitCode, problemsExitCode } from './exit-code.ts'
import { type Inputs, readInputsAnywhere } from './inputs.ts'
import { outPainter, writeOut } from './output.ts'
import type { Context } from './options.ts'

/** `reconcile validate`: with lint, and on request with the rules that no policy test exercises. */
export async function validate(
  { options }: Context,
  own: { readonly coverage?: boolean } = {},
): Promise<ExitCode> {
  const read = await readInputsAnywhere(options)
  const isValid = !hasErrors(read.problems)
  const { repo, model, exercised } = read.compiled
  const inputs = isValid ? { ...read, problems: [...read.problems, ...lint(repo, model)] } : read
  const { commit, problems } = inputs
  const coverage = own.coverage === true && isValid ? coverageOf(model, exercised) : undefined
  const paint = outPainter(options)
  const text = [...formatProblems(problems, paint), ...coverageLines(coverage, paint), summary(inputs)].join(
    '\n',
  )
  const json = { commit, problems, ...(coverage === undefined ? {} : { coverage }) }
  await writeOut(options.format === 'json' ? formatProblemsJson(json) : `${text}\n`, options)
  return problemsExitCode(problems)
}

function coverageLines(
  coverage: Coverage | undefined,
  paint: ReturnType<typeof outPainter>,
): readonly string[] {
  return coverage === undefined ? [] : formatCoverage(coverage, paint)
}

function summary({ commit, files, compiled, problems }: Inputs): string {
  const errors = problems.filter((problem) => problem.severity === 'error').length
  const warnings = problems.length - errors
  const guests = new Set(compiled.model.hosts.flatMap((host) => host.nics.map((nic) => nic.guest)))
  const where = `${commit.slice(0, 12)}: ${count(files.size, 'file')}`
  if (errors > 0) return `${where}, ${count(errors, 'error')}, ${count(warnings, 'warning')}`
  const { firewalls, tests } = compiled.repo
  const what = [
    count(compiled.model.hosts.length, 'hypervisor'),
    count(guests.size, 'guest'),
    count(firewalls.size, 'firewall'),
    count(compiled.model.rules.size, 'rule'),
    `${count(tests.length, 'test')} passed`,
  ]
  return `${where}, ${what.join(', ')}${warnings === 0 ? '' : `, ${count(warnings, 'warning')}`}: valid`
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
