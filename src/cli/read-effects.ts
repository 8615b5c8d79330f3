import type { HostReader, ReadEffects } from '../effects.ts'
import { type Shared, createShared } from '../host/bastion.ts'
import { HostError } from '../host/error.ts'
import { read } from '../host/read.ts'
import { listSnapshots, readSnapshot } from '../host/snapshots.ts'
import { type Connection, connect } from '../host/ssh.ts'
import { resolveTarget } from '../host/ssh-config.ts'
import type { HostModel } from '../model/model.ts'
import { runTasks } from '../ui/progress.ts'
import { progressStyle } from './output.ts'
import type { Context } from './options.ts'

/** The world for commands that only read. Nothing here, nor what it imports, can write to a host. */
export function readEffects(context: Context): ReadEffects {
  return effectsOf(context, (connection) => hostReader(connection, context))
}

/** Connections over SSH as the options and the user's ssh configuration say; hosts side by side, with progress. */
export function effectsOf<Reader extends HostReader>(
  context: Context,
  readerOf: (connection: Connection) => Reader,
): ReadEffects & { open(host: HostModel): Promise<Reader> } {
  const shared = createShared()
  const stopped = new Set<string>()
  return {
    open: async (host) => {
      if (stopped.has(host.name)) throw stoppedError(host)
      return readerOf(await openConnection(context, shared, host))
    },
    eachHost: async (hosts, work) => {
      const tasks = hosts.map((host) => ({
        title: host.name,
        run: async (report: (text: string) => void) => {
          // Once stopped no host is begun, and those under way end in order: they may still connect in order to confirm.
          if (context.signal.aborted) stopped.add(host.name)
          const result = await work(host, report)
          report(statusOf(result))
          return result
        },
      }))
      const { forks } = context.options
      const results = await runTasks(tasks, { ...progressStyle(context.options), concurrency: forks })
      return results.map((result) => {
        if (result.status === 'rejected') throw result.reason
        return result.value
      })
    },
  }
}

/** What the story reads of a host, by one connection. */
export function hostReader(connection: Connection, { options }: Context): HostReader {
  return {
    read: (probes) => read(connection, probes, { timeoutMs: options.timeout * 1000 }),
    snapshots: () => listSnapshots(connection),
    snapshot: (id) => readSnapshot(connection, id),
    close: () => connection.close(),
  }
}

async function openConnection({ options }: Context, shared: Shared, host: HostModel): Promise<Connection> {
  const target = await resolveTarget(host.name, host.connection, {
    ...(options.sshConfig === undefined ? {} : { configFile: options.sshConfig }),
    ...(options.knownHosts === undefined ? {} : { knownHostsFile: options.knownHosts }),
  })
  return await connect(target, { shared, timeoutMs: Math.min(options.timeout, 10) * 1000 })
}

/** The world's failure, so that the story goes on to say how all hosts stand. */
function stoppedError(host: HostModel): HostError {
  return new HostError('refused', host.name, 'not begun, because the run was stopped: run it again')
}

function statusOf(result: unknown): string {
  return typeof result === 'object' && result !== null && 'status' in result ? String(result.status) : 'read'
}
