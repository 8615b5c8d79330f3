import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')

/** How a run of the command ended. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The command as users get it: compiled, run by node alone. Built once per test file, in a directory of its own. */
export interface Program {
  run(args: readonly string[], options?: RunOptions): Promise<Ended>
  remove(): void
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Called with the process once it runs. */
  readonly during?: (child: ReturnType<typeof spawn>) => void
}

export function buildProgram(): Program {
  const home = mkdtempSync(join(tmpdir(), 'gitwall-cli-'))
  const compiler = join(root, 'node_modules/.bin/tsc')
  try {
    execFileSync(compiler, ['-p', join(root, 'src/tsconfig.json'), '--outDir', join(home, 'dist')], {
      stdio: 'pipe',
    })
  } catch {
    // Type errors are another test's business; it emits all the same.
  }
  for (const script of readdirSync(join(root, 'src/host')).filter((name) => name.endsWith('.sh'))) {
    cpSync(join(root, 'src/host', script), join(home, 'dist/host', script))
  }
  for (const name of ['package.json', 'schemas', 'node_modules'])
    symlinkSync(join(root, name), join(home, name))
  return {
    run: (args, options = {}) => runNode(join(home, 'dist/cli/main.js'), args, options),
    remove: () => {
      for (const directory of [home, ...repositories]) rmSync(directory, { recursive: true, force: true })
    },
  }
}

function runNode(file: string, args: readonly string[], { cwd, env, during }: RunOptions): Promise<Ended> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [file, ...args], {
      cwd: cwd ?? tmpdir(),
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.on('error', fail)
    child.on('close', (code) => done({ code, stdout, stderr }))
    during?.(child)
  })
}

const repositories: string[] = []

/** A Git repository with these files committed. `Program.remove` removes it. */
export function createRepository(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'gitwall-repo-'))
  repositories.push(directory)
  writeFiles(directory, files)
  git(directory, 'init', '-q')
  git(directory, 'add', '-A')
  git(directory, 'commit', '-q', '--allow-empty', '-m', 'first')
  return directory
}

export function writeFiles(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
}

export function git(directory: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'init.defaultBranch=main']
  return execFileSync('git', [...identity, ...args], {
    cwd: directory,
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim()
}
