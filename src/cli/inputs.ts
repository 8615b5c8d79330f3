import { type Compiled, compile, hasErrors } from '../compile.ts'
import { readCommit } from '../git/checkout.ts'
import { isInRepository } from '../git/repository.ts'
import { type LeftOut, readWorktree } from '../git/worktree.ts'
import type { HostModel } from '../model/model.ts'
import type { Report } from '../plan/outcome.ts'
import type { Run } from '../reconcile.ts'
import { matchPattern, parsePattern } from '../repo/pattern.ts'
import type { Problem } from '../repo/problem.ts'
import { suggest } from '../repo/suggest.ts'
import { say } from './output.ts'
import { type Options, UsageError } from './options.ts'

/** The repository as one command sees it. */
export interface Inputs {
  /** Full hash, or `worktree`. */
  readonly commit: string
  readonly files: ReadonlyMap<string, string>
  readonly compiled: Compiled
  /** With `--connection-ref`: how that commit connects, by host. Only these may be contacted. */
  readonly trusted?: ReadonlyMap<string, HostModel['connection']>
  /** Of reading, compiling and the policy tests. */
  readonly problems: readonly Problem[]
}

/** All that is read of a repository. */
const paths = ['inventory', 'policies']

/**
 * Reads and compiles what the options name: a commit, or with `--worktree` the files on disk. Says on stderr when the files on
 * disk differ from the commit that is read.
 */
export async function readInputs(options: Options): Promise<Inputs> {
  const { commit, files, leftOut } = options.worktree ? await fromDisk(options) : await fromCommit(options)
  if (files.size === 0) {
    throw new UsageError(
      `${options.repo}: no file under inventory/ or policies/${options.worktree ? '' : ` at ${commit.slice(0, 12)}`}: ` +
        'name the repository with -C DIR',
    )
  }
  const compiled = compile(files)
  const problems = [...leftOut.map(leftOutProblem), ...compiled.problems]
  const trusted =
    options.connectionRef === undefined
      ? {}
      : { trusted: await connectionsAt(options.connectionRef, options) }
  return { commit, files, compiled, problems, ...trusted }
}

async function connectionsAt(ref: string, options: Options): Promise<NonNullable<Inputs['trusted']>> {
  const { files } = await readCommit({ directory: options.repo, ref, paths, suggest })
  return new Map(compile(files).model.hosts.map((host) => [host.name, host.connection]))
}

/** As `readInputs`, but outside Git the files on disk are read without being asked for. */
export async function readInputsAnywhere(options: Options): Promise<Inputs> {
  return await readInputs({ ...options, worktree: options.worktree || !isInRepository(options.repo) })
}

async function fromDisk(options: Options) {
  return { commit: 'worktree', ...(await readWorktree(options.repo, paths)) }
}

async function fromCommit(options: Options) {
  const result = await readCommit({ directory: options.repo, ref: options.ref, paths, suggest })
  if (result.dirty) {
    say(
      'note: uncommitted changes under inventory/ or policies/ are not part of this run: commit them, or use --worktree',
    )
  }
  return result
}

/** What a run reads and writes: the hypervisors that the options select. Throws `UsageError` when they select none. */
export function selectHosts(inputs: Inputs, options: Options): Run {
  const { model, repo } = inputs.compiled
  const named = options.host.map((name) => hostNamed(model.hosts, name))
  const limited = options.limit === undefined ? undefined : matchLimit(options.limit, repo.inventory)
  const hosts = model.hosts.filter(
    (host) => (named.length === 0 || named.includes(host)) && (limited?.has(host.name) ?? true),
  )
  if (hosts.length === 0) throw new UsageError(whyNone(model.hosts, options))
  return { model, hosts: hosts.flatMap((host) => asTrusted(host, inputs.trusted)), commit: inputs.commit }
}

function asTrusted(host: HostModel, trusted: Inputs['trusted']): readonly HostModel[] {
  if (trusted === undefined) return [host]
  const connection = trusted.get(host.name)
  if (connection !== undefined) return [{ ...host, connection }]
  say(`note: ${host.name} is not contacted: the commit of --connection-ref has no such host`)
  return []
}

/** The only host that `--host` names. */
export function theHost(run: Run): HostModel {
  const [host] = run.hosts
  if (host === undefined || run.hosts.length > 1)
    throw new UsageError('name exactly one host with --host HOST')
  return host
}

/** Links are not followed, since they may lead out of the repository; what they name would silently be missing. */
function leftOutProblem({ path, what }: LeftOut): Problem {
  const message = `${what}: it is not read: put a plain file in its place`
  return { code: 'entry-left-out', severity: 'error', at: { file: path, line: 1, column: 1 }, message }
}

/** The report of a run that does not start, because the repository has errors. `undefined` when it may start. */
export function stoppedReport(command: Report['command'], { commit, problems }: Inputs): Report | undefined {
  if (!hasErrors(problems)) return undefined
  return { command, commit, outcomes: [], rules: new Map(), problems }
}

function hostNamed(hosts: readonly HostModel[], name: string): HostModel {
  const host = hosts.find((candidate) => candidate.name === name)
  if (host !== undefined) return host
  const names = hosts.map((candidate) => candidate.name)
  const near = suggest(name, names)
  throw new UsageError(
    `--host: no hypervisor "${name}"${near === undefined ? '' : `: did you mean "${near}"?`}`,
  )
}

function matchLimit(limit: string, inventory: Compiled['repo']['inventory']): ReadonlySet<string> {
  const reading = parsePattern(limit)
  if (reading.kind === 'refused') throw new UsageError(`--limit: ${reading.message}`)
  const { hosts, unknown } = matchPattern(reading.pattern, inventory)
  if (unknown.length > 0) throw new UsageError(`--limit: ${unknown.join('; ')}`)
  return new Set(hosts)
}

function whyNone(hosts: readonly HostModel[], options: Options): string {
  if (hosts.length === 0)
    return 'the inventory has no hypervisor: give a host the variable "gitwall" with "bridges"'
  const names = hosts.slice(0, 10).map((host) => host.name)
  return `--limit: "${options.limit ?? ''}" selects no hypervisor: known: ${names.join(', ')}${hosts.length > 10 ? ', …' : ''}`
}
