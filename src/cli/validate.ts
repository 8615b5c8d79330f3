import { formatProblemsJson } from '../report/json/problems.ts'
import { formatProblems } from '../report/text/problems.ts'
import { type ExitCode, problemsExitCode } from './exit-code.ts'
import { type Inputs, readInputsAnywhere } from './inputs.ts'
import { outPainter, writeOut } from './output.ts'
import type { Context } from './options.ts'

/** `reconcile validate`. */
export async function validate({ options }: Context): Promise<ExitCode> {
  const inputs = await readInputsAnywhere(options)
  const { commit, problems } = inputs
  const text = [...formatProblems(problems, outPainter(options)), summary(inputs)].join('\n')
  await writeOut(options.format === 'json' ? formatProblemsJson({ commit, problems }) : `${text}\n`, options)
  return problemsExitCode(problems)
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
