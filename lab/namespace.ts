import { spawnSync } from 'node:child_process'

/** What a command left behind. `code` is 128 + signal number when a signal ended it, as a shell says it. */
export interface RunResult {
  readonly stdout: string
  readonly stderr: string
  readonly code: number
}

/** A network namespace that this run made. */
export interface Namespace {
  readonly name: string
  /** Runs a command inside, to its end (at most 60 s), and gives back what it printed. Never throws for a non-zero code. */
  run(argv: readonly string[], stdin?: string): RunResult
  /** Like `run`, but throws with the command's stderr when it fails. Gives back stdout. */
  must(argv: readonly string[], stdin?: string): string
  /** argv that runs `argv` inside, for callers that spawn themselves. Only the network is switched, not the mounts. */
  enter(argv: readonly string[]): readonly string[]
  delete(): void
}

/** Makes a network namespace with its loopback up. Names must be unique on the machine: take a prefix of your own. See ip-netns(8). */
export function createNamespace(name: string): Namespace {
  runOrThrow(['ip', 'netns', 'add', name])
  const namespace = namespaceNamed(name)
  namespace.must(['ip', 'link', 'set', 'lo', 'up'])
  return namespace
}

/** An existing namespace of this run, by its name. */
function namespaceNamed(name: string): Namespace {
  const enter = (argv: readonly string[]) => ['nsenter', `--net=/run/netns/${name}`, '--', ...argv]
  return {
    name,
    run: (argv, stdin) => runCommand(enter(argv), stdin),
    must: (argv, stdin) => runOrThrow(enter(argv), stdin),
    enter,
    delete: () => void runCommand(['ip', 'netns', 'delete', name]),
  }
}

/** Runs a command here, to its end (at most 60 s). */
export function runCommand(argv: readonly string[], stdin = ''): RunResult {
  const [file = '', ...rest] = argv
  const result = spawnSync(file, rest, {
    input: stdin,
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 256 << 20,
  })
  if (result.error !== undefined && result.status === null)
    return { stdout: '', stderr: String(result.error), code: 127 }
  return { stdout: result.stdout, stderr: result.stderr, code: result.status ?? 128 }
}

/** `runCommand` that throws with the command line and its stderr when the code is not 0. */
export function runOrThrow(argv: readonly string[], stdin?: string): string {
  const result = runCommand(argv, stdin)
  if (result.code !== 0) throw new Error(`${argv.join(' ')}: exit ${result.code}: ${result.stderr.trim()}`)
  return result.stdout
}
