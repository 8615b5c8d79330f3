/**
 * Why something with a host failed.
 * `dns` the name is none or has no address · `refused` nobody listens, no route, or hung up before the session stood ·
 * `timeout` no answer in time · `auth` not let in · `host-key` not proven to be that host, never retried ·
 * `lost` the connection ended during a command · `output` more than was allowed, or not the format of our scripts ·
 * `tool` the host lacks something, or our script failed there.
 *
 * From `connect` all of them mean that nothing was done. From a command, `lost`, `timeout` and `output` mean that the
 * outcome is unknown: read the host again.
 */
export type HostErrorKind = 'dns' | 'refused' | 'timeout' | 'auth' | 'host-key' | 'lost' | 'output' | 'tool'

/** The world's failure with one host. The message is `host: what: what to do`; the library's error is the `cause`. */
export class HostError extends Error {
  override readonly name = 'HostError'
  readonly kind: HostErrorKind
  /** Inventory name. */
  readonly host: string

  constructor(kind: HostErrorKind, host: string, what: string, cause?: unknown) {
    super(`${host}: ${what}`, cause === undefined ? {} : { cause })
    this.kind = kind
    this.host = host
  }
}

/** A little of what a host said, on one line and without control characters, to be quoted in a message. */
export function excerpt(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return line.length > 400 ? `${line.slice(0, 400)}…` : line
}
