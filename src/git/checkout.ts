import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { checkSizes, decodeFile, GitError, isIgnoredPath } from './limits.ts'
import { catFile, findRepository, git, printable, type Repository } from './repository.ts'
import { type LeftOut, readPlainFile } from './worktree.ts'

export interface CommitRequest {
  /** In the repository, or above `paths` inside it. */
  readonly directory: string
  readonly ref: string
  readonly paths: readonly string[]
  /** The known name that a misspelt one was meant to be. */
  readonly suggest: (name: string, known: readonly string[]) => string | undefined
}

/** The files of one commit. */
export interface CommitFiles {
  /** Full hash. */
  readonly commit: string
  /** By path relative to the directory that was asked for, with `/`. */
  readonly files: ReadonlyMap<string, string>
  /** The commit is the one that is checked out, and the files on disk differ from it. Always false in a bare repository. */
  readonly dirty: boolean
  /** Symbolic links and submodules. */
  readonly leftOut: readonly LeftOut[]
}

interface Blob {
  readonly path: string
  readonly id: string
  readonly bytes: number
}

/**
 * Reads the files under `paths` at `ref`, without a checkout and without the network. `ref` is anything that names a commit; it
 * is resolved once, then only the hash is used. Throws `GitError` when there is no such commit, or a limit is passed.
 */
export async function readCommit(request: CommitRequest): Promise<CommitFiles> {
  const repository = findRepository(request.directory)
  const commit = await resolveCommit(repository, request)
  const { blobs, leftOut } = await listBlobs(repository, commit, request.paths)
  checkSizes(blobs)
  const files = await readBlobs(repository, blobs)
  const dirty = await isDirty(repository, commit, request.paths, files)
  return { commit, files, dirty, leftOut }
}

async function resolveCommit(repository: Repository, { ref, suggest }: CommitRequest): Promise<string> {
  if (ref === '' || /\p{Cc}/u.test(ref)) throw new GitError(`"${printable(ref)}": not the name of a commit`)
  const answer = await revParse(repository, ref)
  if (answer !== undefined) return answer
  throw new GitError(await whyUnknown(repository, ref, suggest))
}

/** `undefined` when `ref` names no commit. */
async function revParse(repository: Repository, ref: string): Promise<string | undefined> {
  // Without --end-of-options a ref such as `--output=FILE` would be an option; git show writes that file.
  const answer = await git(repository, [
    'rev-parse',
    '--verify',
    '--quiet',
    '--end-of-options',
    `${ref}^{commit}`,
  ]).catch((error: unknown) => {
    if (isNotARevision(error)) return ''
    throw error
  })
  const hash = answer.trim()
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash) ? hash : undefined
}

/** `rev-parse --quiet` fails without a word; other failures (ownership, damage) speak. simple-git refuses refs such as `--upload-pack=x`. */
function isNotARevision(error: unknown): boolean {
  const text = error instanceof Error ? error.message : ''
  return (
    /Needed a single revision|unknown revision|bad revision|is not permitted|ambiguous argument/.test(text) ||
    text.trim() === ''
  )
}

async function whyUnknown(
  repository: Repository,
  ref: string,
  suggest: CommitRequest['suggest'],
): Promise<string> {
  const listed = await git(repository, [
    'for-each-ref',
    '--format=%(refname:short)',
    'refs/heads',
    'refs/remotes',
    'refs/tags',
  ])
  const names = listed.split('\n').filter((name) => name !== '')
  const where = `${repository.directory}: `
  if (names.length === 0)
    return `${where}no commit yet: commit the files, or read them as they are with --worktree`
  const what = `${where}no commit "${printable(ref)}"`
  const near = suggest(ref, names)
  if (near !== undefined) return `${what}: did you mean "${printable(near)}"?`
  const shallow = await git(repository, ['rev-parse', '--is-shallow-repository'])
  if (shallow.trim() === 'true') {
    return `${what}: the clone is shallow: run "git fetch --unshallow", or check out with "fetch-depth: 0"`
  }
  const some = names.slice(0, 10).map(printable).join(', ')
  return `${what}: known: ${some}${names.length > 10 ? `, and ${names.length - 10} more` : ''}`
}

async function listBlobs(
  repository: Repository,
  commit: string,
  paths: readonly string[],
): Promise<{ readonly blobs: readonly Blob[]; readonly leftOut: readonly LeftOut[] }> {
  const listing = await git(repository, ['ls-tree', '-r', '-z', '-l', commit, '--', ...paths])
  const blobs: Blob[] = []
  const leftOut: LeftOut[] = []
  for (const line of listing.split('\0')) {
    const match = /^(\d{6}) \w+ ([0-9a-f]+) +(\d+|-)\t(.+)$/s.exec(line)
    if (match === null) {
      if (line === '') continue
      throw new GitError(`git ls-tree: a line that is not understood: "${printable(line)}"`)
    }
    const [, mode = '', id = '', size = '', path = ''] = match
    if (path.includes('\uFFFD'))
      throw new GitError(`${printable(path)}: the name is not UTF-8: rename the file`)
    if (isIgnoredPath(path)) continue
    if (mode === '120000') leftOut.push({ path, what: 'symbolic link' })
    else if (mode === '160000') leftOut.push({ path, what: 'submodule' })
    else blobs.push({ path, id, bytes: Number(size) })
  }
  return { blobs, leftOut }
}

/** All contents by one `cat-file --batch`: some 65 times faster than one `git show` per file. */
async function readBlobs(
  repository: Repository,
  blobs: readonly Blob[],
): Promise<ReadonlyMap<string, string>> {
  if (blobs.length === 0) return new Map()
  const output = await catFile(repository, blobs)
  const files = new Map<string, string>()
  let at = 0
  for (const { path, id, bytes } of blobs) {
    const header = Buffer.from(`${id} blob ${bytes}\n`)
    if (!output.subarray(at, at + header.length).equals(header)) throw new GitError(missingObject(path))
    at += header.length
    files.set(path, decodeFile(path, output.subarray(at, at + bytes)))
    at += bytes + 1
  }
  if (at !== output.length) throw new GitError('git cat-file: more output than asked for')
  return files
}

function missingObject(path: string): string {
  return `${path}: git has not got its content: a partial clone or a damaged one: clone again without --filter`
}

/**
 * Compared by content, by us: `git status` runs filters and monitors that the repository's own configuration names. A file that
 * was forgotten in `git add` counts, one that Git ignores does not.
 */
async function isDirty(
  repository: Repository,
  commit: string,
  paths: readonly string[],
  committed: ReadonlyMap<string, string>,
): Promise<boolean> {
  const isCheckedOut = (await git(repository, ['rev-parse', '--is-inside-work-tree'])).trim() === 'true'
  if (!isCheckedOut || (await revParse(repository, 'HEAD')) !== commit) return false
  const listing = await git(repository, [
    'ls-files',
    '-z',
    '--cached',
    '--others',
    '--exclude-standard',
    '--',
    ...paths,
  ])
  const names = new Set(listing.split('\0').filter((name) => name !== '' && !isIgnoredPath(name)))
  for (const name of new Set([...names, ...committed.keys()])) {
    if (!(await isSameOnDisk(repository.directory, name, committed.get(name)))) return true
  }
  return false
}

async function isSameOnDisk(
  directory: string,
  path: string,
  committed: string | undefined,
): Promise<boolean> {
  const stat = lstatSync(join(directory, path), { throwIfNoEntry: false })
  // Links and submodules are not read at the commit either.
  if (committed === undefined && stat?.isFile() !== true) return true
  const onDisk = await readPlainFile(directory, path).catch(() => undefined)
  return onDisk !== undefined && onDisk === committed
}
