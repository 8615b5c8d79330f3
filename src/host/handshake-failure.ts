import { createHash } from 'node:crypto'
import { HostError, excerpt } from './error.ts'
import type { Identities } from './identity.ts'
import { type KeyProblem, type KnownHost, type KnownKeys, judgeKey } from './known-hosts.ts'
import type { SshTarget } from './ssh-config.ts'

/** What was known and what was tried when a handshake failed. */
export interface Circumstances {
  readonly keys: KnownKeys
  readonly offered: Buffer | undefined
  readonly identities: Identities
}

/** The error that a person can act on, for what ssh2 1.17 says in its `level` and `code`. */
export function describeFailure(
  target: SshTarget,
  error: Error & { level?: string; code?: string | number },
  seen: Circumstances,
): HostError {
  const verdict = seen.offered === undefined ? undefined : judgeKey(seen.keys, seen.offered)
  if (verdict !== undefined && verdict.kind !== 'known') {
    return new HostError('host-key', target.name, describeKey(target, verdict, seen.offered as Buffer), error)
  }
  const address = `${target.hostname}:${target.port}`
  const say = (kind: HostError['kind'], what: string) => new HostError(kind, target.name, what, error)
  if (/no matching host key format/.test(error.message)) {
    const known = seen.keys.trusted.map((entry) => `${entry.type} at ${placeOf(entry)}`).join(', ')
    return say('host-key', `presents no key of a known type (${known}): verify its other keys and add them`)
  }
  if (error.level === 'client-authentication') {
    const remarks = seen.identities.remarks.length > 0 ? ` (${seen.identities.remarks.join('; ')})` : ''
    return say(
      'auth',
      `"${target.user}" was not let in with any key${remarks}: add the public key to its authorized_keys`,
    )
  }
  // A number is the reason of the server's own DISCONNECT (RFC 4253, 11.1), such as too many keys tried.
  if (verdict !== undefined && typeof error.code === 'number') {
    return say(
      'auth',
      `the server ended the login of "${target.user}" (${excerpt(error.message)}): offer fewer keys`,
    )
  }
  if (error.level === 'client-timeout' || error.code === 'ETIMEDOUT') {
    return say(
      'timeout',
      `${address} does not answer: check that the host is up and that no firewall drops SSH`,
    )
  }
  switch (error.code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return say('dns', `"${target.hostname}" has no address: correct the name or set ansible_host`)
    case 'ECONNREFUSED':
      return say('refused', `nobody listens on ${address}: check sshd and the port`)
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return say('refused', `no route to ${address}: check the network between here and there`)
    default:
      return say(
        'refused',
        `${address} ended the handshake (${excerpt(error.message)}): check sshd, and its MaxStartups`,
      )
  }
}

function describeKey(target: SshTarget, problem: KeyProblem, offered: Buffer): string {
  const digest = createHash('sha256').update(offered).digest('base64').replace(/=+$/, '')
  const presented = `it presents ${keyType(offered)} SHA256:${digest}`
  const port = target.port === 22 ? '' : `-p ${target.port} `
  const where = 'known' in problem ? placeOf(problem.known) : (target.knownHostsFiles[0] ?? 'known_hosts')
  const messages: Readonly<Record<KeyProblem['kind'], string>> = {
    changed:
      `HOST KEY CHANGED: ${presented}, which is not the key at ${where}: it was reinstalled, or somebody is in between: ` +
      'compare with "ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub" on its console before you replace that line',
    revoked: `host key revoked: ${presented}, which is revoked at ${where}: give the host a new key`,
    'certificate-only':
      `host key known by a certificate authority only (${where}): certificates need the OpenSSH transport, ` +
      'not supported yet: add its plain key',
    unknown:
      `host key not known: ${presented}: run "ssh-keyscan ${port}${target.hostname}", verify the fingerprint on the ` +
      `host's console, then add the line to ${where}`,
  }
  return messages[problem.kind]
}

/** RFC 4253, 6.6: the key begins with the name of its algorithm. Of an unproven host: untrusted bytes. */
function keyType(key: Buffer): string {
  const length = key.length < 4 ? 0 : key.readUInt32BE(0)
  return excerpt(key.toString('latin1', 4, 4 + Math.min(length, 40)))
}

/** `file:line`. */
export function placeOf(entry: KnownHost | undefined): string {
  return entry === undefined ? 'known_hosts' : `${entry.file}:${entry.line}`
}
