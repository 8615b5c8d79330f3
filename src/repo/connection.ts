import { fail, warn } from './collect.ts'
import { checkTemplates } from './our-variables.ts'
import type { Problem } from './problem.ts'
import { quote } from './quote.ts'
import type { AnsibleConnection } from './repo.ts'
import { type Entry, type Node, textOf } from './yaml-node.ts'

type Get = (variable: string) => Entry | undefined

/** No leading dash: the value may become an argument of a program. */
const hostPattern =
  /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$|^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]{1,15})?$/
const userPattern = /^[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,62}\$?$/
/** `user@host:port`, several of them with commas. See ssh_config(5), ProxyJump. */
const jumpPattern =
  /^([A-Za-z0-9_][A-Za-z0-9_.-]*@)?([A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/

/** Variables that change for Ansible where or how it connects, and that we do not follow. */
const unread: Readonly<Record<string, string>> = {
  ansible_ssh_host: 'write "ansible_host"',
  ansible_ssh_port: 'write "ansible_port"',
  ansible_ssh_user: 'write "ansible_user"',
  ansible_connection: 'hypervisors are reached by SSH only',
  ansible_ssh_extra_args: 'use "ansible_ssh_common_args" or ~/.ssh/config',
  ansible_password: 'use a key',
  ansible_ssh_pass: 'use a key',
  ansible_become_user: 'commands run as root',
  ansible_become_method: 'commands run under sudo -n',
  ansible_become_password: 'allow sudo without a password',
}

/** How to reach a hypervisor, by its `ansible_*` variables. */
export function readConnection(get: Get, problems: Problem[]): AnsibleConnection {
  for (const [variable, advice] of Object.entries(unread)) {
    const entry = get(variable)
    if (entry !== undefined && !isOurDefault(variable, entry.value))
      warn(problems, 'unread-variable', entry.at, `${quote(variable)} is not followed: ${advice}`)
  }
  const text = (variable: string, pattern: RegExp): string | undefined =>
    readText(variable, pattern, get, problems)
  return {
    ...optional('host', text('ansible_host', hostPattern)),
    ...optional('port', readPort(get('ansible_port'), problems)),
    ...optional('user', text('ansible_user', userPattern)),
    ...optional(
      'privateKeyFile',
      text('ansible_ssh_private_key_file', /^[^-\u0000-\u001f\u007f][^\u0000-\u001f\u007f]*$/),
    ),
    ...optional('proxyJump', readCommonArguments(get('ansible_ssh_common_args'), problems)),
    become: readBecome(get('ansible_become'), problems),
  }
}

/** They say in Ansible's words what we do anyway. */
function isOurDefault(variable: string, value: Node): boolean {
  const text = textOf(value)
  switch (variable) {
    case 'ansible_connection':
      return text === 'ssh' || text === 'smart'
    case 'ansible_become_user':
      return text === 'root'
    case 'ansible_become_method':
      return text === 'sudo'
    default:
      return false
  }
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [key in K]?: V }
}

function readText(variable: string, pattern: RegExp, get: Get, problems: Problem[]): string | undefined {
  const entry = get(variable)
  if (entry === undefined || !checkTemplates(entry.value, problems)) return undefined
  const text = textOf(entry.value)
  if (text === undefined || text === '') return undefined
  if (pattern.test(text)) return text
  fail(problems, 'bad-connection', entry.value.at, `${variable} ${quote(text)} is not valid: correct it`)
  return undefined
}

function readPort(entry: Entry | undefined, problems: Problem[]): number | undefined {
  if (entry === undefined || !checkTemplates(entry.value, problems)) return undefined
  const value = entry.value.kind === 'scalar' ? String(entry.value.value ?? '') : ''
  const port = /^[1-9]\d{0,4}$/.test(value) ? Number(value) : undefined
  if (port !== undefined && port <= 65_535) return port
  fail(
    problems,
    'bad-connection',
    entry.value.at,
    `ansible_port ${quote(value)} is not a port: use 1 to 65535`,
  )
  return undefined
}

/** As Ansible's boolean(): text counts, since `yes` is text in YAML 1.2. */
function readBecome(entry: Entry | undefined, problems: Problem[]): boolean {
  if (entry === undefined || !checkTemplates(entry.value, problems)) return false
  const value = entry.value.kind === 'scalar' ? String(entry.value.value ?? '').toLowerCase() : ''
  if (['true', 'yes', 'on', 'y', 't', '1'].includes(value)) return true
  if (!['false', 'no', 'off', 'n', 'f', '0', ''].includes(value))
    fail(
      problems,
      'bad-connection',
      entry.value.at,
      `ansible_become ${quote(value)} is not valid: use true or false`,
    )
  return false
}

/** The jump hosts of `-J x` or `-o ProxyJump=x`. Any other argument of ssh(1) would be lost, so it is refused. */
function readCommonArguments(entry: Entry | undefined, problems: Problem[]): string | undefined {
  if (entry === undefined || !checkTemplates(entry.value, problems)) return undefined
  const text = textOf(entry.value)?.trim() ?? ''
  if (text === '') return undefined
  const jump = jumpOf(splitWords(text))
  if (jump?.split(',').every((hop) => jumpPattern.test(hop)) === true) return jump
  const advice = 'only "-J HOST" or "-o ProxyJump=HOST" is read: use ~/.ssh/config for the rest'
  fail(problems, 'bad-connection', entry.value.at, `ansible_ssh_common_args ${quote(text)}: ${advice}`)
  return undefined
}

/** Words as a shell, and Ansible, splits them; without backslashes, which no jump host needs. */
function splitWords(text: string): readonly string[] {
  const words = text.match(/(?:[^\s"'\\]|"[^"\\]*"|'[^']*')+|\S/g) ?? []
  return words.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'))
}

function jumpOf([first = '', second, ...rest]: readonly string[]): string | undefined {
  if (rest.length > 0) return undefined
  const option = /^-([Jo])(.*)$/s.exec(first)
  const value = option?.[2] === '' ? second : second === undefined ? option?.[2] : undefined
  // Keywords of ssh_config(5) are case-insensitive and may be followed by a space or "=".
  return option?.[1] === 'J' ? value : /^proxyjump(?:\s*=\s*|\s+)(\S+)$/i.exec(value ?? '')?.[1]
}
