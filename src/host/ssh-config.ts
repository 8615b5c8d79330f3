import { execFile } from 'node:child_process'
import { homedir, userInfo } from 'node:os'
import type { AnsibleConnection } from '../repo/repo.ts'
import { HostError, excerpt } from './error.ts'

/** Where and as whom to connect: inventory and ssh configuration together. */
export interface SshTarget {
  /** Inventory name, or what a jump was called: for messages. */
  readonly name: string
  readonly hostname: string
  readonly port: number
  readonly user: string
  readonly hostKeyAlias?: string
  /** Private key files, tried in this order. The first that exists need not be the right one. */
  readonly identityFiles: readonly string[]
  /** Offer only the keys of `identityFiles`, even when the agent has more. */
  readonly identitiesOnly: boolean
  /** Socket of an ssh-agent. */
  readonly agent?: string
  readonly knownHostsFiles: readonly string[]
  /** Hosts to pass through, in the order in which they are passed. Each is resolved by itself. */
  readonly jumps: readonly SshTarget[]
  /** Commands run under `sudo -n`. */
  readonly become: boolean
}

/** Where settings are taken from beside the inventory. */
export interface SshConfigSource {
  /** `ssh -F`. Absent: the user's and the system's. */
  readonly configFile?: string
  /** Used instead of every configured known_hosts file. */
  readonly knownHostsFile?: string
}

/**
 * What `ssh` would do for this host, as `ssh -G` says it (`Include`, `Match` and all); the inventory's values win, as given
 * on ssh's command line. Host key checking is always strict, whatever the configuration says.
 * Throws `HostError`: `dns` for a name that is none, `tool` for a configuration that cannot be honoured.
 */
export async function resolveTarget(
  name: string,
  connection: AnsibleConnection,
  source: SshConfigSource = {},
): Promise<SshTarget> {
  return await resolve({ name, host: connection.host ?? name, connection, source, depth: 0 })
}

interface Request {
  readonly name: string
  readonly host: string
  readonly connection: AnsibleConnection
  readonly source: SshConfigSource
  /** Jumps behind jumps: bounded, so that two hosts that jump over each other end. */
  readonly depth: number
}

async function resolve(request: Request): Promise<SshTarget> {
  const { name, host, connection, source } = request
  requireHostname(name, host)
  if (connection.user !== undefined) requireUser(name, connection.user)
  const settings = await readSettings(request)
  const hostname = settings.get('hostname')?.[0] ?? host
  requireHostname(name, hostname)
  const port = connection.port ?? Number(settings.get('port')?.[0] ?? 22)
  const user = connection.user ?? settings.get('user')?.[0] ?? userInfo().username
  requireUser(name, user)
  const hostKeyAlias = settings.get('hostkeyalias')?.[0]
  const agent = agentSocket(settings.get('identityagent')?.[0])
  const expand = (path: string) => expandPath(path, { host, hostname, port, user })
  return {
    name,
    hostname,
    port,
    user,
    ...(hostKeyAlias === undefined ? {} : { hostKeyAlias }),
    identityFiles: (connection.privateKeyFile === undefined
      ? (settings.get('identityfile') ?? defaultIdentityFiles)
      : [connection.privateKeyFile]
    ).map(expand),
    identitiesOnly: settings.get('identitiesonly')?.[0] === 'yes',
    ...(agent === undefined ? {} : { agent }),
    knownHostsFiles:
      source.knownHostsFile === undefined ? knownHostsFiles(settings).map(expand) : [source.knownHostsFile],
    jumps: await resolveJumps(request, connection.proxyJump ?? settings.get('proxyjump')?.[0] ?? 'none'),
    become: connection.become,
  }
}

/** Every jump but the first is reached through the one before it; the first may itself be configured to need a jump. */
async function resolveJumps(request: Request, list: string): Promise<readonly SshTarget[]> {
  if (list === 'none' || list === '') return []
  if (request.depth >= 4)
    throw new HostError('tool', request.name, 'ProxyJump goes in circles: check the ssh configuration')
  const jumps = await Promise.all(
    list.split(',').map((text) => {
      const jump = parseJump(request.name, text)
      const connection = { ...jump, become: false }
      return resolve({ ...request, name: jump.host, host: jump.host, connection, depth: request.depth + 1 })
    }),
  )
  return jumps.flatMap((jump, index) => [...(index === 0 ? jump.jumps : []), { ...jump, jumps: [] }])
}

function parseJump(
  name: string,
  text: string,
): { readonly host: string; readonly user?: string; readonly port?: number } {
  const match =
    /^(?:ssh:\/\/)?(?:(?<user>[^@]+)@)?(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]+))(?::(?<port>\d{1,5}))?\/?$/.exec(
      text,
    )
  const host = match?.groups?.['v6'] ?? match?.groups?.['host']
  if (host === undefined) {
    throw new HostError('tool', name, `ProxyJump "${excerpt(text)}" is not [user@]host[:port]: correct it`)
  }
  const user = match?.groups?.['user']
  const port = match?.groups?.['port']
  return {
    host,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port: Number(port) }),
  }
}

/** The lines of `ssh -G` by their key word. Without an OpenSSH client there is no configuration to be read: empty. */
async function readSettings(request: Request): Promise<ReadonlyMap<string, readonly string[]>> {
  const { name, host, connection, source } = request
  const options = [
    ...(source.configFile === undefined ? [] : ['-F', source.configFile]),
    ...(connection.port === undefined ? [] : ['-p', String(connection.port)]),
    ...(connection.user === undefined ? [] : ['-l', connection.user]),
  ]
  const text = await runSsh(name, ['-G', ...options, '--', host])
  const settings = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [, key, value] = /^(\S+) (.*)$/.exec(line) ?? []
    if (key === undefined || value === undefined) continue
    settings.set(key, [...(settings.get(key) ?? []), value])
  }
  const command = settings.get('proxycommand')?.[0] ?? 'none'
  if (command !== 'none' && connection.proxyJump === undefined) {
    throw new HostError(
      'tool',
      name,
      'the ssh configuration has a ProxyCommand, which is not supported: use ProxyJump',
    )
  }
  return settings
}

async function runSsh(name: string, argv: readonly string[]): Promise<string> {
  return await new Promise((resolve, reject) => {
    // `Match exec` runs the user's own commands, which may hang.
    execFile(
      'ssh',
      argv,
      { encoding: 'utf8', timeout: 10_000, maxBuffer: 1 << 20 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout)
        else if (error.code === 'ENOENT') resolve('')
        else {
          const said = excerpt(
            stderr.replace('Pseudo-terminal will not be allocated because stdin is not a terminal.', ''),
          )
          reject(
            new HostError(
              'tool',
              name,
              `the ssh configuration cannot be read: ${said}: check it with ssh -G`,
              error,
            ),
          )
        }
      },
    )
  })
}

/** Letters that no option, shell or glob begins with: the name is an argument of `ssh -G` and a part of `%h`. */
function requireHostname(name: string, hostname: string): void {
  if (/^[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,252}$/.test(hostname)) return
  throw new HostError(
    'dns',
    excerpt(name),
    `"${excerpt(hostname)}" is not a host name or address: correct ansible_host`,
  )
}

function requireUser(name: string, user: string): void {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$/.test(user)) return
  throw new HostError('auth', name, `"${excerpt(user)}" is not a user name: correct ansible_user`)
}

/** `none`, a variable's name, or a path: ssh_config(5), IdentityAgent. */
function agentSocket(setting: string | undefined): string | undefined {
  if (setting === 'none') return undefined
  const variable =
    setting === undefined || setting === 'SSH_AUTH_SOCK' ? 'SSH_AUTH_SOCK' : /^\$(\w+)$/.exec(setting)?.[1]
  const path = variable === undefined ? setting : process.env[variable]
  return path === '' ? undefined : path
}

/** `ssh -G` separates the files by blanks and does not quote: a word that begins no path belongs to the one before it. */
function knownHostsFiles(settings: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const listed = ['userknownhostsfile', 'globalknownhostsfile'].flatMap((key) => {
    const value = settings.get(key)?.[0]
    return value === undefined ? [] : value.split(/ (?=[/~])/)
  })
  return settings.size === 0 ? defaultKnownHostsFiles : listed.filter((file) => file !== 'none')
}

const defaultIdentityFiles = ['~/.ssh/id_ed25519', '~/.ssh/id_ecdsa', '~/.ssh/id_rsa']
const defaultKnownHostsFiles = ['~/.ssh/known_hosts', '/etc/ssh/ssh_known_hosts']

/** `~` and the tokens that ssh_config(5) allows in IdentityFile; `ssh -G` of OpenSSH 9.2 prints them unexpanded there. */
function expandPath(
  path: string,
  target: { readonly host: string; readonly hostname: string; readonly port: number; readonly user: string },
): string {
  const valueByToken: Record<string, string | undefined> = {
    '%': '%',
    d: homedir(),
    h: target.hostname,
    n: target.host,
    p: String(target.port),
    r: target.user,
    u: userInfo().username,
  }
  return path
    .replace(/^~(?=\/)/, homedir())
    .replace(/%(.)/g, (token, letter: string) => valueByToken[letter] ?? token)
}
