import type { Duplex } from 'node:stream'
import { HostError, excerpt } from './error.ts'
import { type HandshakeOptions, type Session, handshake } from './handshake.ts'
import type { KnownHost } from './known-hosts.ts'
import { type Semaphore, createSemaphore } from './semaphore.ts'
import type { SshTarget } from './ssh-config.ts'

/** What the connections of one run share: bastions, the number of handshakes, files already read. */
export interface Shared {
  /** By the way to them. One that is gone is made anew when it is next needed. */
  readonly bastions: Map<string, Promise<Session>>
  /** sshd's MaxStartups begins to drop at ten unfinished handshakes: sshd_config(5). */
  readonly handshakes: Semaphore
  readonly knownHosts: Map<string, Promise<readonly KnownHost[]>>
}

export function createShared(): Shared {
  return { bastions: new Map(), handshakes: createSemaphore(8), knownHosts: new Map() }
}

/** Ends the bastions' connections. Those that were made through them end too. */
export async function closeShared(shared: Shared): Promise<void> {
  const bastions = [...shared.bastions.values()]
  shared.bastions.clear()
  for (const bastion of await Promise.allSettled(bastions)) {
    if (bastion.status === 'fulfilled') bastion.value.client.end()
  }
}

/** Logs in to `target`, through its jumps. Every hop has its own host key check, in the name of its own configuration. */
export async function dial(
  target: SshTarget,
  shared: Shared,
  options: Pick<HandshakeOptions, 'timeoutMs' | 'signal'>,
): Promise<Session> {
  // Before a place is taken: the bastion's own handshake needs one, too.
  const bastion = await openBastion(target, shared, options)
  const gate = bastion === undefined ? address(target) : `through ${pathOf(target)}`
  return await shared.handshakes.run(gate, async () => {
    const socket = bastion === undefined ? undefined : await forward(bastion, target, options.timeoutMs)
    const limits = { ...options, knownHosts: shared.knownHosts }
    try {
      return await handshake(target, socket === undefined ? limits : { ...limits, socket })
    } catch (error) {
      socket?.destroy()
      throw error
    }
  })
}

/** The last jump's connection: the one that is there, or a new one. */
async function openBastion(
  target: SshTarget,
  shared: Shared,
  options: Pick<HandshakeOptions, 'timeoutMs' | 'signal'>,
): Promise<Session | undefined> {
  const last = target.jumps.at(-1)
  if (last === undefined) return undefined
  const path = pathOf(target)
  const known = shared.bastions.get(path)
  // Without the signal of whoever came first: others wait for the same bastion.
  const opening =
    known ?? dial({ ...last, jumps: target.jumps.slice(0, -1) }, shared, { timeoutMs: options.timeoutMs })
  if (known === undefined) {
    shared.bastions.set(path, opening)
    const forget = () => {
      if (shared.bastions.get(path) === opening) shared.bastions.delete(path)
    }
    opening.then((session) => session.client.once('close', forget), forget)
  }
  try {
    return await opening
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    throw new HostError(error.kind, target.name, `bastion ${error.message}`, error)
  }
}

/** A TCP connection made by the bastion. Its sshd may try for minutes: the time is ours to bound. */
async function forward(bastion: Session, target: SshTarget, timeoutMs: number): Promise<Duplex> {
  const where = `${target.hostname}:${target.port}`
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new HostError(
          'timeout',
          target.name,
          `the bastion cannot reach ${where} in time: check the host and its firewall`,
        ),
      )
    }, timeoutMs)
    const fail = (error: unknown) => {
      clearTimeout(timer)
      const said = error instanceof Error ? excerpt(error.message) : 'no answer'
      reject(
        new HostError(
          'refused',
          target.name,
          `the bastion cannot reach ${where} (${said}): check the address and the port`,
          error,
        ),
      )
    }
    try {
      bastion.client.forwardOut('127.0.0.1', 0, target.hostname, target.port, (error, channel) => {
        if (error !== undefined) return fail(error)
        clearTimeout(timer)
        // Late, after our time was over: nobody will use it. Harmless otherwise.
        channel.on('error', () => {})
        resolve(channel)
      })
    } catch (error) {
      fail(error)
    }
  })
}

/** The hops before `target`. */
function pathOf(target: SshTarget): string {
  return target.jumps.map(address).join(' ')
}

function address(target: SshTarget): string {
  return `${target.user}@${target.hostname}:${target.port}`
}
