import { readFile } from 'node:fs/promises'
import type { Duplex } from 'node:stream'
import ssh2, { type Client, type ConnectConfig, type ServerHostKeyAlgorithm } from 'ssh2'
import { HostError } from './error.ts'
import { describeFailure, placeOf } from './handshake-failure.ts'
import { findIdentities } from './identity.ts'
import { type KnownHost, type KnownKeys, judgeKey, knownKeys, parseKnownHosts } from './known-hosts.ts'
import type { SshTarget } from './ssh-config.ts'

/** Bounds of one attempt to connect. */
export interface HandshakeOptions {
  /** From the first packet to being logged in. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** The way through a bastion. Absent: a TCP connection of its own. */
  readonly socket?: Duplex
  /** Files already read in this run, by name. */
  readonly knownHosts: Map<string, Promise<readonly KnownHost[]>>
}

/** A client that is logged in. `failure` is what ended it, if anything has; it never emits an unhandled `error`. */
export interface Session {
  readonly client: Client
  readonly failure: () => Error | undefined
}

/** Connects to one host, proves that it is that host, and logs in. Throws `HostError`; nothing is retried here. */
export async function handshake(target: SshTarget, options: HandshakeOptions): Promise<Session> {
  const keys = await readKnownKeys(target, options.knownHosts)
  const identities = await findIdentities(target)
  options.signal?.throwIfAborted()
  const client = new ssh2.Client()
  let offered: Buffer | undefined
  const config: ConnectConfig = {
    host: target.hostname,
    port: target.port,
    username: target.user,
    authHandler: [...identities.methods],
    readyTimeout: options.timeoutMs,
    keepaliveInterval: 10_000,
    keepaliveCountMax: 3,
    ...(options.socket === undefined ? {} : { sock: options.socket }),
    algorithms: { ...algorithms, serverHostKey: hostKeyAlgorithms(target, keys) },
    // Without `hostHash` the verifier is given the key itself. Without a verifier ssh2 trusts every host.
    hostVerifier: (key: Buffer) => {
      offered = key
      return judgeKey(keys, key).kind === 'known'
    },
  }
  return await new Promise((resolve, reject) => {
    let failure: Error | undefined
    const abort = () => {
      client.destroy()
      reject(options.signal?.reason)
    }
    options.signal?.addEventListener('abort', abort, { once: true })
    // For good: an `error` that nobody listens to ends the process, also long after `ready`.
    client.on('error', (error: Error & { level?: string }) => {
      // The first is the cause, what follows is its echo. An agent that does not answer is none: the key files are tried next.
      if (error.level !== 'agent') failure ??= error
    })
    client.on('close', () => {
      options.signal?.removeEventListener('abort', abort)
      failure ??= new Error('connection closed')
      reject(describeFailure(target, failure, { keys, offered, identities }))
    })
    client.on('ready', () => {
      options.signal?.removeEventListener('abort', abort)
      failure = undefined
      resolve({ client, failure: () => failure })
    })
    client.connect(config)
    // ssh2 leaves Nagle's algorithm on, which costs 45 ms for each handshake.
    client.setNoDelay(true)
  })
}

/** What ssh2 1.17 has without SHA-1 and CBC. */
const algorithms: ConnectConfig['algorithms'] = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group-exchange-sha256',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
    'diffie-hellman-group14-sha256',
  ],
  cipher: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'chacha20-poly1305@openssh.com',
    'aes128-ctr',
    'aes192-ctr',
    'aes256-ctr',
  ],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none'],
}

/** Algorithms by the type of key that known_hosts names. RFC 8332: an `ssh-rsa` key signs with SHA-2. */
const algorithmsByKeyType: ReadonlyMap<string, readonly ServerHostKeyAlgorithm[]> = new Map([
  ['ssh-ed25519', ['ssh-ed25519']],
  ['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
  ['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
  ['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
  ['ssh-rsa', ['rsa-sha2-512', 'rsa-sha2-256']],
])

/** Only those of which a key is known: else the server may present another of its keys, and a good host looks changed. */
function hostKeyAlgorithms(target: SshTarget, keys: KnownKeys): ServerHostKeyAlgorithm[] {
  if (keys.trusted.length === 0) return [...algorithmsByKeyType.values()].flat()
  const types = new Set(keys.trusted.map((entry) => entry.type))
  const usable = [...algorithmsByKeyType].filter(([type]) => types.has(type)).flatMap(([, names]) => names)
  if (usable.length > 0) return usable
  const what = `only host keys of type ${[...types].join(', ')} are known, which are not supported`
  throw new HostError(
    'host-key',
    target.name,
    `${what}: add its ed25519, ECDSA or RSA key to ${placeOf(keys.trusted[0])}`,
  )
}

async function readKnownKeys(target: SshTarget, files: HandshakeOptions['knownHosts']): Promise<KnownKeys> {
  const entries = await Promise.all(
    target.knownHostsFiles.map((file) => {
      const read = files.get(file) ?? readKnownHostsFile(target, file)
      files.set(file, read)
      return read
    }),
  )
  return knownKeys(entries.flat(), target)
}

/** A file that is not there knows nobody; one that cannot be read might hold a revocation. */
async function readKnownHostsFile(target: SshTarget, file: string): Promise<readonly KnownHost[]> {
  try {
    return parseKnownHosts(await readFile(file, 'utf8'), file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new HostError('host-key', target.name, `"${file}" cannot be read: correct its permissions`, error)
  }
}
