import { constants } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { ClientChannel } from 'ssh2'
import { type Shared, dial } from './bastion.ts'
import { HostError, excerpt } from './error.ts'
import type { Session } from './handshake.ts'
import { shellQuote } from './script.ts'
import type { SshTarget } from './ssh-config.ts'

/** One login on one host. Commands run one after the other or at the same time (sshd's MaxSessions allows ten). */
export interface Connection {
  readonly target: SshTarget
  /** Runs `script` in a POSIX shell, as root where the target says `become`. Throws `HostError`: `lost timeout output tool`. */
  run(request: RunRequest): Promise<RunResult>
  close(): void
}

export interface RunRequest {
  /** A constant of ours: it becomes the command line. At most 100 KB (Linux: MAX_ARG_STRLEN is 128 KiB). */
  readonly script: string
  /** All data goes here. */
  readonly stdin?: string | Buffer
  /** For the whole run. A host that answers slowly for ever is stopped, too. */
  readonly timeoutMs: number
  /** Of stdout and stderr together. Default 256 MiB. */
  readonly maxOutputBytes?: number
}

export interface RunResult {
  /** Bytes, since lengths and digests are over bytes. */
  readonly stdout: Buffer
  readonly stderr: string
  /** 128 + signal number when a signal ended it, as a shell says it. */
  readonly code: number
}

export interface ConnectOptions {
  readonly shared: Shared
  /** Of each attempt. Default 10 s. */
  readonly timeoutMs?: number
  /** Pauses before further attempts, each shortened at random by up to a half. Default 2 s and 6 s. */
  readonly retryDelaysMs?: readonly number[]
  readonly signal?: AbortSignal
}

/** Default limit of what a host may send as the output of one command. */
export const maxOutputBytes = 256 << 20

/**
 * Connects and logs in. Throws `HostError`. What may pass by itself (`refused`, `timeout`) is tried again; a name, a login or a
 * host key is not: OpenSSH ≥ 9.8 counts failed logins against our address (sshd_config(5), PerSourcePenalties).
 */
export async function connect(target: SshTarget, options: ConnectOptions): Promise<Connection> {
  const { shared, timeoutMs = 10_000, retryDelaysMs = [2000, 6000], signal } = options
  const limits = { timeoutMs, ...(signal === undefined ? {} : { signal }) }
  for (const delayMs of retryDelaysMs) {
    try {
      return connectionOf(target, await dial(target, shared, limits))
    } catch (error) {
      if (!(error instanceof HostError) || (error.kind !== 'refused' && error.kind !== 'timeout')) throw error
      await delay(delayMs * (1 - Math.random() / 2), undefined, signal === undefined ? {} : { signal })
    }
  }
  return connectionOf(target, await dial(target, shared, limits))
}

function connectionOf(target: SshTarget, session: Session): Connection {
  return {
    target,
    run: (request) => run(target, session, request),
    close: () => session.client.end(),
  }
}

async function run(target: SshTarget, session: Session, request: RunRequest): Promise<RunResult> {
  const command = `${target.become ? 'sudo -n ' : ''}sh -c ${shellQuote(request.script)}`
  return await new Promise((resolve, reject) => {
    // Whatever ends a run without its result ends the connection: nothing more is to be believed, and a command that
    // nobody reads any more is stopped by its closed pipes.
    const stop = (error: HostError) => {
      clearTimeout(timer)
      session.client.destroy()
      reject(error)
    }
    const lose = (cause: unknown) => stop(lost(target, session.failure() ?? cause))
    const timer = setTimeout(() => {
      const what = `no result within ${request.timeoutMs} ms: it is unknown how far it came: read the host again`
      stop(new HostError('timeout', target.name, what))
    }, request.timeoutMs)
    try {
      // Throws at once when the connection is closed already.
      session.client.exec(command, (error, channel) => {
        if (error !== undefined) return lose(error)
        collect(target, channel, request, (result) => {
          if (result === undefined) return lose(undefined)
          if (result instanceof HostError) return stop(result)
          clearTimeout(timer)
          resolve(result)
        })
        channel.end(request.stdin ?? '')
      })
    } catch (error) {
      lose(error)
    }
  })
}

/** Calls `done` once: with the result, with an error of ours, or with `undefined` when the connection was lost. */
function collect(
  target: SshTarget,
  channel: ClientChannel,
  request: RunRequest,
  done: (result: RunResult | HostError | undefined) => void,
): void {
  const limit = request.maxOutputBytes ?? maxOutputBytes
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  let bytes = 0
  let code: number | undefined
  const keep = (into: Buffer[]) => (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= limit) into.push(chunk)
    else if (bytes - chunk.length <= limit) {
      done(new HostError('output', target.name, `sent more than ${limit} bytes: check what runs on the host`))
    }
  }
  channel.on('data', keep(stdout))
  channel.stderr.on('data', keep(stderr))
  channel.on('error', () => {})
  channel.on('exit', (status: number | null, signal?: string) => {
    code = status ?? 128 + signalNumber(signal ?? '')
  })
  // A connection that ends with FIN closes the channel without any error: only an exit status is an end.
  channel.on('close', () => {
    if (code === undefined) return done(undefined)
    const said = Buffer.concat(stderr).toString('utf8')
    done(refusal(target, code, said) ?? { stdout: Buffer.concat(stdout), stderr: said, code })
  })
}

/** What keeps our script from starting at all: exit codes 126 and 127 of the login shell, and sudo's own complaint. */
function refusal(target: SshTarget, code: number, stderr: string): HostError | undefined {
  if (target.become && code === 1 && /^sudo: /m.test(stderr)) {
    const what = `sudo does not let "${target.user}" in (${excerpt(stderr)}): allow sh with NOPASSWD in sudoers`
    return new HostError('tool', target.name, what)
  }
  if (code !== 126 && code !== 127) return undefined
  return new HostError(
    'tool',
    target.name,
    `the script could not be started (${excerpt(stderr)}): check the login shell`,
  )
}

function lost(target: SshTarget, cause: unknown): HostError {
  const why = cause instanceof Error ? ` (${excerpt(cause.message)})` : ''
  return new HostError(
    'lost',
    target.name,
    `the connection ended during a command${why}: read the host again`,
    cause,
  )
}

function signalNumber(name: string): number {
  return Object.entries(constants.signals).find(([known]) => known === name)?.[1] ?? 0
}
