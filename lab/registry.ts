import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runOrThrow } from './namespace.ts'

/** Only root can write here, so that nobody else can tell `lab/cleanup` what to end. */
const labsDirectory = '/run/gitwall-lab'

/** A lab's place on the machine. `lab/cleanup` describes its files. */
export interface LabEntry {
  /** First part of the name of every namespace of the lab. */
  readonly prefix: string
  /** Private to the lab. Short, because a Unix socket's path has 107 characters at most; see unix(7). */
  readonly directory: string
}

/**
 * Takes a directory of its own for a lab of this process. `namespaces` are the names, without the prefix, that the lab may
 * make: they are written down first, so that a run that was killed half way leaves nothing that cannot be found.
 */
export function registerLab(prefix: string | undefined, namespaces: readonly string[]): LabEntry {
  mkdirSync(labsDirectory, { recursive: true, mode: 0o700 })
  const entry = prefix === undefined ? takeFreeEntry() : takeEntry(checkPrefix(prefix))
  if (entry === undefined)
    throw new Error(`lab "${prefix}": it exists: end it with \`lab/cleanup ${prefix}\``)
  const taken = namespaces.find((name) => existsSync(`/run/netns/${entry.prefix}-${name}`))
  if (taken !== undefined) {
    rmdirSync(entry.directory)
    throw new Error(`network namespace "${entry.prefix}-${taken}": it exists: choose another prefix`)
  }
  writeFileSync(
    join(entry.directory, 'namespaces'),
    namespaces.map((name) => `${entry.prefix}-${name}\n`).join(''),
  )
  writeFileSync(join(entry.directory, 'owner'), `${process.pid} ${startTime()}\n`)
  return entry
}

/** Ends everything of a lab, whether it runs, half runs, or is gone already. */
export function endLab(entry: LabEntry): void {
  runOrThrow([fileURLToPath(new URL('./cleanup', import.meta.url)), entry.prefix])
}

/** Lets a lab outlive its process, until `lab/stop`. */
export function keepLab(prefix: string): void {
  writeFileSync(join(labsDirectory, checkPrefix(prefix), 'keep'), '')
}

function takeFreeEntry(): LabEntry {
  for (let count = 1; count < 1000; count++) {
    const entry = takeEntry(`gw${process.pid}x${count}`)
    if (entry !== undefined) return entry
  }
  throw new Error('this process has made 999 labs and ended none of them')
}

function takeEntry(prefix: string): LabEntry | undefined {
  const directory = join(labsDirectory, prefix)
  try {
    mkdirSync(directory, { mode: 0o755 })
    return { prefix, directory }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
    throw error
  }
}

function checkPrefix(prefix: string): string {
  if (/^[a-z][a-z0-9]{0,13}$/.test(prefix)) return prefix
  throw new Error(`lab prefix "${prefix}": take a letter and up to 13 letters or digits, lower case`)
}

/** In clock ticks since boot: with the process id it names a process for ever. See proc(5), stat, field 22. */
function startTime(): string {
  const afterName = readFileSync('/proc/self/stat', 'utf8').replace(/^.*\) /s, '')
  return afterName.split(' ')[19] ?? ''
}
