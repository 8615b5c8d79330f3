import type { HostOutcome, Report } from '../plan/outcome.ts'
import type { Problem } from '../repo/problem.ts'

/** What the command ends with; see the table of `reconcile --help`. */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 6

/** From what matters most to what matters least. */
const precedence: readonly ExitCode[] = [6, 5, 3, 1, 4, 2, 0]

/** The exit code that a finished run deserves: the worst of its hosts and its problems. */
export function exitCode({ command, outcomes, problems }: Report): ExitCode {
  const codes = outcomes.map((outcome) => hostExitCode(command, outcome))
  // 3 promises that nothing was written; one host refused beside another that was changed is a failed run.
  const isMixed = codes.includes(3) && outcomes.some((outcome) => outcome.status === 'confirmed')
  return worst([problemsExitCode(problems), ...codes, ...(isMixed ? ([5] as const) : [])])
}

/** 1 when any problem is an error: nothing was written then. */
export function problemsExitCode(problems: readonly Problem[]): ExitCode {
  return problems.some((problem) => problem.severity === 'error') ? 1 : 0
}

/** Differences found are no failure where `--exit-zero` was asked for; everything else stays what it is. */
export function forgiveDifferences(code: ExitCode): ExitCode {
  return code === 2 ? 0 : code
}

function worst(codes: readonly ExitCode[]): ExitCode {
  return precedence.find((code) => codes.includes(code)) ?? 0
}

const codeByStatus = {
  unknown: 6,
  'rolled-back': 5,
  refused: 3,
  // The rules may stand there, but the kernel does not ask them: never "in sync", and nothing was written.
  unprotected: 3,
  unreachable: 4,
  planned: 2,
  drifted: 2,
  unmanaged: 2,
  confirmed: 0,
  'in-sync': 0,
} as const

function hostExitCode(command: Report['command'], { status }: HostOutcome): ExitCode {
  const code = codeByStatus[status]
  const isWriter = command === 'apply' || command === 'rollback'
  // A writer that leaves a difference did not get to that host, because something refused to.
  return isWriter && code === 2 ? 3 : code
}
