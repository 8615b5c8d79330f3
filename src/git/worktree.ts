import { constants } from 'node:fs'
import { lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { checkSizes, decodeFile, GitError, isIgnoredPath, maxFileBytes, maxFiles } from './limits.ts'

/** An entry of the repository that is not read. */
export interface LeftOut {
  readonly path: string
  readonly what: 'symbolic link' | 'submodule' | 'special file' | 'another Git repository'
}

/** Files as they lie on disk. */
export interface WorktreeFiles {
  /** By path relative to the directory that was read, with `/`. */
  readonly files: ReadonlyMap<string, string>
  /** Symbolic links, devices, other repositories. */
  readonly leftOut: readonly LeftOut[]
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
  const leftOut: LeftOut[] = []
  const found: Found[] = []
  for (const path of paths) await walk(directory, path, found, leftOut)
  checkSizes(found)
  const files = new Map<string, string>()
  for (const { path } of found) files.set(path, await readPlainFile(directory, path))
  return { files, leftOut }
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

async function walk(directory: string, path: string, found: Found[], leftOut: LeftOut[]): Promise<void> {
  if (isIgnoredPath(path)) return
  const stat = await lstat(join(directory, path)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new GitError(`${path}: cannot be read: ${reasonOf(error)}`, { cause: error })
  })
  if (stat === undefined) return
  if (stat.isFile()) found.push({ path, bytes: stat.size })
  else if (stat.isDirectory()) await walkDirectory(directory, path, found, leftOut)
  else leftOut.push({ path, what: stat.isSymbolicLink() ? 'symbolic link' : 'special file' })
  if (found.length > maxFiles)
    throw new GitError(`${path}: more than ${maxFiles} files: split the repository`)
}

async function walkDirectory(
  directory: string,
  path: string,
  found: Found[],
  leftOut: LeftOut[],
): Promise<void> {
  const names = await readdir(join(directory, path)).catch((error: unknown) => {
    throw new GitError(`${path}: cannot be read: ${reasonOf(error)}`, { cause: error })
  })
  if (names.includes('.git')) leftOut.push({ path, what: 'another Git repository' })
  else for (const name of names.sort()) await walk(directory, `${path}/${name}`, found, leftOut)
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
