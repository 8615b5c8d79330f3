import { createHmac } from 'node:crypto'

/** One usable line of a known_hosts file. See sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. */
export interface KnownHost {
  readonly marker: 'none' | 'revoked' | 'cert-authority'
  /** The host field as written: patterns separated by commas, or one hashed name `|1|salt|hash`. */
  readonly names: string
  /** Algorithm name, such as `ssh-ed25519`. */
  readonly type: string
  /** The key in wire format. */
  readonly key: Buffer
  readonly file: string
  readonly line: number
}

/** What is known of one host. */
export interface KnownKeys {
  readonly trusted: readonly KnownHost[]
  readonly revoked: readonly KnownHost[]
  readonly authorities: readonly KnownHost[]
  /** Found under the plain name although the port is not 22: another key is then another server, not a changed one. */
  readonly byPlainName: boolean
}

/** What the key that a host presented is worth. Everything but `known` ends the connection. */
export type KeyVerdict = { readonly kind: 'known' } | KeyProblem

/** Why a host is not proven to be that host, and the line that says so. */
export type KeyProblem =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'changed'; readonly known: KnownHost }
  | { readonly kind: 'revoked'; readonly known: KnownHost }
  | { readonly kind: 'certificate-only'; readonly known: KnownHost }

/** Reads a known_hosts file. Lines that are no entries are skipped, as OpenSSH does: they can only make a host unknown. */
export function parseKnownHosts(text: string, file: string): readonly KnownHost[] {
  return text.split('\n').flatMap((line, index) => parseLine(line, file, index + 1) ?? [])
}

/**
 * Keys of the host that is reached under these names. A port other than 22 is looked up as `[host]:port`, and under the plain
 * name only when there is no such entry; an alias stands for both. See ssh(1), ssh_config(5) HostKeyAlias.
 */
export function knownKeys(
  entries: readonly KnownHost[],
  host: { readonly hostname: string; readonly port: number; readonly hostKeyAlias?: string },
): KnownKeys {
  const plain = (host.hostKeyAlias ?? host.hostname).toLowerCase()
  if (host.hostKeyAlias !== undefined || host.port === 22)
    return { ...keysOf(entries, plain), byPlainName: false }
  const exact = keysOf(entries, `[${plain}]:${host.port}`)
  const fallback = keysOf(entries, plain)
  return {
    trusted: exact.trusted.length > 0 ? exact.trusted : fallback.trusted,
    revoked: [...exact.revoked, ...fallback.revoked],
    authorities: [...exact.authorities, ...fallback.authorities],
    byPlainName: exact.trusted.length === 0,
  }
}

/** Judges `key` (wire format). A revocation outweighs every line that trusts the same key. */
export function judgeKey(keys: KnownKeys, key: Buffer): KeyVerdict {
  const revoked = keys.revoked.find((entry) => entry.key.equals(key))
  if (revoked !== undefined) return { kind: 'revoked', known: revoked }
  if (keys.trusted.some((entry) => entry.key.equals(key))) return { kind: 'known' }
  const [other] = keys.trusted
  if (other !== undefined) return keys.byPlainName ? { kind: 'unknown' } : { kind: 'changed', known: other }
  const [authority] = keys.authorities
  if (authority !== undefined) return { kind: 'certificate-only', known: authority }
  return { kind: 'unknown' }
}

/** Does the host field of a line speak of `name` (lower case, `[host]:port` for another port than 22)? */
export function matchesName(names: string, name: string): boolean {
  if (names.startsWith('|')) return matchesHash(names, name)
  const patterns = names.toLowerCase().split(',')
  if (patterns.some((pattern) => pattern.startsWith('!') && matchesGlob(pattern.slice(1), name))) return false
  return patterns.some((pattern) => !pattern.startsWith('!') && matchesGlob(pattern, name))
}

function keysOf(entries: readonly KnownHost[], name: string): Omit<KnownKeys, 'byPlainName'> {
  const matching = entries.filter((entry) => matchesName(entry.names, name))
  return {
    trusted: matching.filter((entry) => entry.marker === 'none'),
    revoked: matching.filter((entry) => entry.marker === 'revoked'),
    authorities: matching.filter((entry) => entry.marker === 'cert-authority'),
  }
}

function parseLine(text: string, file: string, line: number): KnownHost | undefined {
  const words = text.trim().split(/[ \t]+/)
  const [first = ''] = words
  if (first === '' || first.startsWith('#')) return undefined
  const marker = markers.get(first)
  if (first.startsWith('@') && marker === undefined) return undefined
  const [names, type, base64] = marker === undefined ? words : words.slice(1)
  if (names === undefined || type === undefined || base64 === undefined) return undefined
  const key = parseKey(type, base64)
  return key === undefined ? undefined : { marker: marker ?? 'none', names, type, key, file, line }
}

const markers: ReadonlyMap<string, 'revoked' | 'cert-authority'> = new Map([
  ['@revoked', 'revoked'],
  ['@cert-authority', 'cert-authority'],
])

/** The wire format begins with the name of its own algorithm (RFC 4253, 6.6), which must be the line's. */
function parseKey(type: string, base64: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined
  const key = Buffer.from(base64, 'base64')
  const nameEnd = key.length < 4 ? 0 : 4 + key.readUInt32BE(0)
  return nameEnd > 4 && nameEnd < key.length && key.toString('latin1', 4, nameEnd) === type ? key : undefined
}

/** `|1|base64 salt|base64 HMAC-SHA1 of the name`: ssh-keygen(1), -H. */
function matchesHash(field: string, name: string): boolean {
  const [, version, salt, hash, ...rest] = field.split('|')
  if (version !== '1' || salt === undefined || hash === undefined || rest.length > 0) return false
  const expected = Buffer.from(hash, 'base64')
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest().equals(expected)
}

/** `*` and `?` only, without backtracking over more than the last star: patterns of others must not cost us time. */
function matchesGlob(pattern: string, name: string): boolean {
  let at = 0
  let star = -1
  let retry = 0
  let next = 0
  while (next < name.length) {
    const wanted = pattern[at]
    if (wanted === '*') {
      star = at++
      retry = next
    } else if (wanted !== undefined && (wanted === '?' || wanted === name[next])) {
      at++
      next++
    } else if (star >= 0) {
      at = star + 1
      next = ++retry
    } else return false
  }
  return /^\**$/.test(pattern.slice(at))
}
