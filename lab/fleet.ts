import { spawn, spawnSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LabHost } from './host.ts'
import { type Lab, startLab } from './lab.ts'
import { type LabPlan, labPlanOf } from './plan.ts'
import { type Compiled, compile, hasErrors } from '../src/compile.ts'
import { readWorktree } from '../src/git/worktree.ts'

const root = join(import.meta.dirname, '..')

/** A user's repository in Git, the lab that its inventory describes, and the command as a user runs it. */
export interface Fleet {
  readonly lab: Lab
  /** The user's repository, a copy of the demo's. */
  readonly directory: string
  reconcile(...args: readonly string[]): Promise<Run>
  /** Changes files by text replacement, and commits. Throws when a text is not there. */
  commit(message: string, edits: readonly Edit[]): void
  compiled(): Promise<Compiled>
  host(name: string): LabHost
  stop(): void
}

export interface Edit {
  readonly file: string
  readonly from: string
  readonly to: string
}

/** What a run of the command left. */
export interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Starts the demo fleet, or the part of it that `change` makes of its lab plan. */
export async function startFleet(change: (plan: LabPlan) => LabPlan = (plan) => plan): Promise<Fleet> {
  const { repo, problems } = compile((await readWorktree(root, ['inventory', 'policies'])).files)
  if (hasErrors(problems)) throw new Error(problems.map((problem) => problem.message).join('\n'))
  const lab = await startLab(change(labPlanOf(repo)))
  const directory = join(lab.directory, 'repository')
  for (const folder of ['inventory', 'policies'])
    cpSync(join(root, folder), join(directory, folder), { recursive: true })
  git(directory, 'init', '-q', '-b', 'main')
  git(directory, 'add', '-A')
  git(directory, 'commit', '-q', '-m', 'the demo fleet')
  return {
    lab,
    directory,
    compiled: async () => compile((await readWorktree(directory, ['inventory', 'policies'])).files),
    reconcile: (...args) => runCommand(directory, ['-F', lab.sshConfigFile, '--no-color', ...args]),
    commit: (message, edits) => {
      for (const { file, from, to } of edits) {
        const text = readFileSync(join(directory, file), 'utf8')
        if (!text.includes(from)) throw new Error(`${file} does not contain "${from}"`)
        writeFileSync(join(directory, file), text.replace(from, to))
      }
      git(directory, 'commit', '-q', '-a', '-m', message)
    },
    host: (name) => {
      const host = lab.hosts.get(name)
      if (host === undefined) throw new Error(`the lab has no host ${name}`)
      return host
    },
    stop: () => lab.stop(),
  }
}

function git(directory: string, ...args: readonly string[]): void {
  const identity = ['-c', 'user.name=demo', '-c', 'user.email=demo@example.net', '-c', 'commit.gpgsign=false']
  const result = spawnSync('git', ['-C', directory, ...identity, ...args], { encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`git ${args.join(' ')}: ${result.stderr}`)
}

/** The built command, as a process of its own, without a terminal. Ends after 150 s at the latest. */
export function runCommand(directory: string, args: readonly string[], input = ''): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), '-C', directory, ...args], {
      env: { ...process.env, CI: '1', SSH_AUTH_SOCK: '' },
      timeout: 150_000,
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.stdin.end(input)
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 128, stdout, stderr }))
  })
}
