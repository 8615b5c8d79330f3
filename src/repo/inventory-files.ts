import { fail, warn } from './collect.ts'
import type { Problem, Source } from './problem.ts'
import { quote } from './quote.ts'

/** The files of `inventory/` by what Ansible takes them for. Paths from the root of the repository. */
export interface InventoryFiles {
  /** Hosts and groups, in the order in which Ansible merges them. */
  readonly hosts: readonly string[]
  /** Group → its files under `group_vars/`, weakest first. */
  readonly groupVars: VariableFiles
  readonly hostVars: VariableFiles
}

export type VariableFiles = ReadonlyMap<string, readonly string[]>

/** Ansible's order of preference, when `web.yml` and `web.yaml` stand side by side. */
const yamlExtensions = ['.yml', '.yaml', '.json']

/** Names that Ansible leaves out of a directory of inventories (INVENTORY_IGNORE_EXTS), but for `.ini`. */
const ignored = /^\.|(\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$/

/** Sorts the paths of a repository. What Ansible would read and we cannot is a mistake: silence would lose hosts. */
export function inventoryFiles(paths: Iterable<string>, problems: Problem[]): InventoryFiles {
  const inside = [...paths].filter((path) => path.startsWith('inventory/')).sort(byParts)
  const hosts: string[] = []
  const variables = { group_vars: [] as string[], host_vars: [] as string[] }
  for (const path of inside) {
    const parts = path.split('/').slice(1)
    const [top = ''] = parts
    if (parts.length > 1 && (top === 'group_vars' || top === 'host_vars')) variables[top].push(path)
    else if (parts.some((part) => ignored.test(part))) continue
    else if (parts.slice(0, -1).some((part) => part === 'group_vars' || part === 'host_vars'))
      warn(
        problems,
        'unread-file',
        startOf(path),
        'Ansible does not read variables here: move it to inventory/group_vars or host_vars',
      )
    else if (yamlExtensions.some((extension) => path.endsWith(extension))) hosts.push(path)
    else fail(problems, 'unread-file', startOf(path), unreadAdvice)
  }
  return {
    hosts,
    groupVars: variableFiles(variables.group_vars, problems),
    hostVars: variableFiles(variables.host_vars, problems),
  }
}

const unreadAdvice =
  'only YAML inventories are read: convert it (ansible-inventory -i FILE --list --yaml --export), or move it out of inventory/'

/** The first place of a file. */
export function startOf(file: string): Source {
  return { file, line: 1, column: 1 }
}

/** As Ansible's find_vars_files: the directory or file `web`, else `web.yml`, else `web.yaml`, else `web.json`. */
function variableFiles(paths: readonly string[], problems: Problem[]): VariableFiles {
  const byName = new Map<string, { rank: number; files: string[] }>()
  for (const path of paths) {
    const [, kind = '', first = '', ...rest] = path.split('/')
    if (rest.length > 0 ? !isReadInDirectory(rest) : first.startsWith('.') || first.endsWith('~')) continue
    const extension = rest.length > 0 ? '' : (yamlExtensions.find((one) => first.endsWith(one)) ?? '')
    const name = first.slice(0, first.length - extension.length)
    const rank = yamlExtensions.indexOf(extension)
    const taken = byName.get(name)
    if (taken === undefined || taken.rank === rank)
      byName.set(name, { rank, files: [...(taken?.files ?? []), path] })
    else {
      const [read = '', unread = ''] = rank < taken.rank ? [path, taken.files[0]] : [taken.files[0], path]
      const advice = `Ansible reads only ${quote(read)}: merge them, or make a directory inventory/${kind}/${name}`
      fail(problems, 'unread-file', startOf(unread), advice)
      if (rank < taken.rank) byName.set(name, { rank, files: [path] })
    }
  }
  return new Map([...byName].map(([name, { files }]) => [name, files]))
}

/** As Ansible's _get_dir_vars_files: directories without an extension, files without one or with one of YAML's. */
function isReadInDirectory(parts: readonly string[]): boolean {
  if (parts.some((part) => part.startsWith('.') || part.endsWith('~'))) return false
  const directories = parts.slice(0, -1)
  const extension = extensionOf(parts.at(-1) ?? '')
  return (
    directories.every((part) => extensionOf(part) === '') &&
    (extension === '' || yamlExtensions.includes(extension))
  )
}

function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.')
  return dot <= 0 ? '' : name.slice(dot)
}

/** Ansible walks each directory in the order of its names: compare directory by directory. */
function byParts(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')]
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [one = '', other = ''] = [left[index], right[index]]
    if (one !== other) return one < other ? -1 : 1
  }
  return left.length - right.length
}
