import { spawn } from 'node:child_process'
import { existsSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { simpleGit } from 'simple-git'
import { GitError } from './limits.ts'

/** A repository on disk, and where in it we look. */
export interface Repository {
  /** Where git runs. May be a directory inside the repository; paths are relative to it. */
  readonly directory: string
  readonly safeDirectory: string
}

/** One local git command is not expected to take longer. */
const timeoutMs = 120_000

/** Is `directory` in a Git repository, bare or not? */
export function isInRepository(directory: string): boolean {
  return repositoryRoot(directory) !== undefined
}

/** The repository that `directory` is in. Throws `GitError` when there is none. */
export function findRepository(directory: string): Repository {
  const root = repositoryRoot(directory)
  if (root === undefined) {
    throw new GitError(
      `${directory}: not in a Git repository: name one with -C DIR, or read plain files with --worktree`,
    )
  }
  return { directory: realpathSync(directory), safeDirectory: root }
}

/** Found by us rather than by git, since git refuses to say it where the owner is another user (see `gitConfig`). */
function repositoryRoot(directory: string): string | undefined {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new GitError(`${directory}: no such directory: name the repository with -C DIR`)
  }
  let at = realpathSync(resolve(directory))
  for (;;) {
    if (existsSync(join(at, '.git')) || isBare(at)) return at
    if (at === dirname(at)) return undefined
    at = dirname(at)
  }
}

function isBare(directory: string): boolean {
  return ['HEAD', 'objects', 'refs'].every((name) => existsSync(join(directory, name)))
}

/** Output of one git command that only reads. Throws `GitError`; its message is empty where git failed without a word. */
export async function git(repository: Repository, args: readonly string[]): Promise<string> {
  try {
    return await simpleGit({
      baseDir: repository.directory,
      config: [...gitConfig(repository)],
      allowEnvironment: Object.keys(environment()).filter((name) => name.startsWith('GIT_')),
      timeout: { block: timeoutMs },
      // It is switched off by `gitConfig`, which simple-git takes for switching it on.
      unsafe: { allowUnsafeFsMonitor: true },
    })
      .env(environment())
      .raw([...args])
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.trim() : String(cause)
    if (reason === '') throw new GitError('', { cause })
    const what = /promisor remote|lazy fetch/.test(reason)
      ? 'a partial clone that lacks files: clone again without --filter'
      : printable(reason)
    throw new GitError(`${repository.directory}: git ${args[0]}: ${what}`, { cause })
  }
}

/** Raw output of `git cat-file --batch` for `blobs`, whose sizes must be checked before. See git-cat-file(1), BATCH OUTPUT. */
export function catFile(
  repository: Repository,
  blobs: readonly { readonly id: string; readonly bytes: number }[],
): Promise<Buffer> {
  const config = gitConfig(repository).flatMap((entry) => ['-c', entry])
  const expected = blobs.reduce((sum, blob) => sum + blob.bytes + blob.id.length + 32, 0)
  return new Promise((done, fail) => {
    const child = spawn('git', [...config, 'cat-file', '--batch'], {
      cwd: repository.directory,
      env: environment(),
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: timeoutMs,
    })
    const chunks: Buffer[] = []
    let received = 0
    let complaint = ''
    child.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      received += chunk.length
      if (received > expected) child.kill('SIGKILL')
    })
    child.stderr.on('data', (chunk: Buffer) => {
      if (complaint.length < 2000) complaint += chunk.toString()
    })
    // It may end before it has read all; `close` below tells why.
    child.stdin.on('error', () => undefined)
    child.on('error', (cause) => fail(new GitError(`git cat-file: ${cause.message}`, { cause })))
    child.on('close', (code) => {
      if (code === 0) done(Buffer.concat(chunks))
      else fail(new GitError(`git cat-file: failed: ${printable(complaint.trim())}`))
    })
    child.stdin.end(blobs.map((blob) => `${blob.id}\n`).join(''))
  })
}

/**
 * The user named this very directory, so another owner is no reason to refuse it (containers, sudo): git-config(1),
 * safe.directory. In return nothing that its configuration names is run; see also `environment`.
 */
function gitConfig(repository: Repository): readonly string[] {
  return [`safe.directory=${repository.safeDirectory}`, 'core.fsmonitor=false']
}

/** Nothing of the caller's GIT_* variables. No prompt, no fetch behind our back, and a hash means what it says (no refs/replace). */
function environment(): Record<string, string> {
  const { PATH, HOME } = process.env
  return {
    ...(PATH === undefined ? {} : { PATH }),
    ...(HOME === undefined ? {} : { HOME }),
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: 'none',
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
  }
}

/** Text of git or of the user, fit for one line of a message. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').slice(0, 300)
}
