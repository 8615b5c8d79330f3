import { constants } from 'node:fs'
import { lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { checkSizes, decodeFile, GitError, isIgnoredPath, maxFileBytes, maxFiles } from './limits.ts'
import type { Problem } from '../repo/problem.ts'

/** Files as they lie on disk. */
export interface WorktreeFiles {
  /** By path relative to the directory that was read, with `/`. */
  readonly files: ReadonlyMap<string, string>
  /** What was left out: symbolic links, devices, other repositories. */
  readonly notes: readonly Problem[]
}

interface Found {
  readonly path: string
  readonly bytes: number
}

/**
 * Reads the files under `paths` of `directory` as they are on disk, committed or not. Links are never followed, so nothing
 * outside the directory can be read. Throws `GitError` when a limit is passed or a file cannot be read.
 */
export async function readWorktree(directory: string, paths: readonly string[]): Promise<WorktreeFiles> {
  const notes: Problem[] = []
  const found: Found[] = []
  for (const path of paths) await walk(directory, path, found, notes)
  checkSizes(found)
  const files = new Map<string, string>()
  for (const { path } of found) files.set(path, await readPlainFile(directory, path))
  return { files, notes }
}

/** The text of one regular file under `directory`. Throws `GitError` for a link, a device, or a file beyond the limits. */
export async function readPlainFile(directory: string, path: string): Promise<string> {
  try {
    // O_NOFOLLOW: it may have become a link since it was listed. O_NONBLOCK: opening a FIFO would wait for a writer.
    const file = await open(
      join(directory, path),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    )
    try {
      const stat = await file.stat()
      if (!stat.isFile()) throw new GitError(`${path}: not a regular file`)
      checkSizes([{ path, bytes: stat.size }])
      return decodeFile(path, await readAtMost(file, path))
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof GitError) throw error
    throw new GitError(`${path}: cannot be read: ${reasonOf(error)}`, { cause: error })
  }
}

/** The size above is of a moment before; a file that grows meanwhile must not fill the memory. */
async function readAtMost(file: Awaited<ReturnType<typeof open>>, path: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let total = 0
  for await (const chunk of file.createReadStream({ autoClose: false }) as AsyncIterable<Uint8Array>) {
    total += chunk.length
    if (total > maxFileBytes) checkSizes([{ path, bytes: total }])
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

async function walk(directory: string, path: string, found: Found[], notes: Problem[]): Promise<void> {
  if (isIgnoredPath(path)) return
  const stat = await lstat(join(directory, path)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new GitError(`${path}: cannot be read: ${reasonOf(error)}`, { cause: error })
  })
  if (stat === undefined) return
  if (stat.isFile()) found.push({ path, bytes: stat.size })
  else if (stat.isDirectory()) await walkDirectory(directory, path, found, notes)
  else notes.push(leftOut(path, stat.isSymbolicLink() ? 'symbolic link' : 'special file'))
  if (found.length > maxFiles)
    throw new GitError(`${path}: more than ${maxFiles} files: split the repository`)
}

async function walkDirectory(
  directory: string,
  path: string,
  found: Found[],
  notes: Problem[],
): Promise<void> {
  const names = await readdir(join(directory, path)).catch((error: unknown) => {
    throw new GitError(`${path}: cannot be read: ${reasonOf(error)}`, { cause: error })
  })
  if (names.includes('.git')) notes.push(leftOut(path, 'another Git repository'))
  else for (const name of names.sort()) await walk(directory, `${path}/${name}`, found, notes)
}

/** A note that an entry of the repository is not read. */
export function leftOut(path: string, what: string): Problem {
  const message = `${what}: it is not read: put a plain file in its place`
  return { code: 'entry-left-out', severity: 'warning', at: { file: path, line: 1, column: 1 }, message }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
