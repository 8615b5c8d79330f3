import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Namespace, createNamespace } from '../../../lab/namespace.ts'
import type { Backend, State, Step } from '../../../src/kernel/backend.ts'
import { diffState } from '../../../src/kernel/diff.ts'
import type { HostFacts } from '../../../src/kernel/facts.ts'

export const noFacts: HostFacts = {
  sshSource: '',
  sshDestination: '',
  sshPort: 0,
  tools: new Set(),
  links: new Map(),
  ovsPorts: new Map(),
  ovsBridges: new Map(),
  sysctls: new Map(),
}

/** A network namespace in which steps run as `host/transaction.sh` runs them. */
export interface TestHost {
  readonly namespace: Namespace
  /** The tool output itself, as a backend's probe prints it. */
  probe(backend: Backend): string
  read(backend: Backend): State
  /** Throws when a step fails or says anything on stderr, unless it may fail. */
  run(steps: readonly Step[]): void
  /** Moves to `target` and gives back the steps it took. */
  move(backend: Backend, target: State): readonly Step[]
  /** Runs a tool as `run` does, with this host's choice of iptables. */
  must(argv: readonly string[], stdin?: string): string
  delete(): void
}

/** `iptables` decides which back end the plain names mean on this host. */
export function createHost(iptables: 'nft' | 'legacy' = 'nft'): TestHost {
  const namespace = createNamespace(`gwk${process.pid}-${randomBytes(4).toString('hex')}`)
  const directory = mkdtempSync(join(tmpdir(), 'gitwall-tools-'))
  for (const tool of ['iptables', 'ip6tables'])
    for (const suffix of ['', '-save', '-restore'])
      symlinkSync(`/usr/sbin/xtables-${iptables}-multi`, join(directory, `${tool}${suffix}`))
  const inPath = (argv: readonly string[]) => [
    'env',
    `PATH=${directory}:/usr/sbin:/usr/bin:/sbin:/bin`,
    'LC_ALL=C',
    ...argv,
  ]

  function probe(backend: Backend): string {
    return namespace.must(inPath(['sh', '-c', backend.probe]))
  }
  function run(steps: readonly Step[]): void {
    for (const step of steps) {
      const { code, stderr } = namespace.run(inPath(step.argv), step.stdin)
      const isFine = code === 0 && stderr === ''
      if (!isFine && step.mayFail !== true)
        throw new Error(`${step.argv.join(' ')}: ${code}: ${stderr}\n${step.stdin}`)
    }
  }
  return {
    namespace,
    probe,
    run,
    read: (backend) => backend.live(probe(backend), noFacts),
    move(backend, target) {
      const steps = backend.steps(diffState(backend.live(probe(backend), noFacts), target), noFacts)
      run(steps)
      return steps
    },
    must: (argv, stdin) => namespace.must(inPath(argv), stdin),
    delete() {
      namespace.delete()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
