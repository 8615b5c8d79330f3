/** More than any fleet needs, less than what hurts: a repository beyond these is refused, never cut. */
export const maxFileBytes = 8 * 1024 * 1024
export const maxFiles = 10_000
const maxTotalBytes = 256 * 1024 * 1024

/** The repository cannot be read. The message is `where: what: what to do`. */
export class GitError extends Error {
  override readonly name = 'GitError'
}

/** Dot files and editors' backups are not part of an inventory for Ansible, nor for us. */
export function isIgnoredPath(path: string): boolean {
  return path.split('/').some((name) => name.startsWith('.') || name.endsWith('~'))
}

/** Throws `GitError` when `files` are more, or `sizes` larger, than we read. Called before anything is read. */
export function checkSizes(files: readonly { readonly path: string; readonly bytes: number }[]): void {
  if (files.length > maxFiles) {
    throw new GitError(`${files.length} files: at most ${maxFiles} are read: split the repository`)
  }
  const large = files.find((file) => file.bytes > maxFileBytes)
  if (large !== undefined) {
    throw new GitError(
      `${large.path}: ${large.bytes} bytes: at most ${maxFileBytes} are read: split the file`,
    )
  }
  const total = files.reduce((sum, file) => sum + file.bytes, 0)
  if (total > maxTotalBytes) {
    throw new GitError(`${total} bytes in all files: at most ${maxTotalBytes} are read: split the repository`)
  }
}

/** The text of a file. Throws `GitError` when it is not UTF-8: a guess could change what a policy means. */
export function decodeFile(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new GitError(`${path}: not UTF-8 text: convert it, or move it out of the directory`, { cause })
  }
}
