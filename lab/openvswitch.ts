import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Namespace, type RunResult, runOrThrow } from './namespace.ts'

/** A private Open vSwitch: its own database and switch daemon, with the userspace datapath, inside one namespace. */
export interface OpenVSwitch {
  /** Holds `db.sock` and the management sockets; what the tools call `OVS_RUNDIR`. */
  readonly rundir: string
  vsctl(...args: readonly string[]): string
  /** `ovs-ofctl` with `OpenFlow14`. Never throws for a non-zero code. */
  ofctl(args: readonly string[], stdin?: string): RunResult
  appctl(...args: readonly string[]): string
  /** Ends the switch daemon alone and starts it again, as a crash and its restart would: every flow is gone. */
  restart(): void
  /** Ends both daemons, by pid. */
  stop(): void
}

/** Starts one in `directory` (made if absent, used by nobody else). See ovs-vswitchd(8), ovsdb-server(1). */
export function startOpenVSwitch(namespace: Namespace, directory: string): OpenVSwitch {
  mkdirSync(directory, { recursive: true })
  const at = (file: string) => join(directory, file)
  const environment = ['env', `OVS_RUNDIR=${directory}`, `OVS_LOGDIR=${directory}`, `OVS_DBDIR=${directory}`]
  const tool = (argv: readonly string[]) => namespace.enter([...environment, ...argv])
  const database = `--db=unix:${at('db.sock')}`
  const startSwitch = () =>
    runOrThrow(
      tool([
        'ovs-vswitchd',
        `unix:${at('db.sock')}`,
        `--pidfile=${at('ovs-vswitchd.pid')}`,
        '--detach',
        '--no-chdir',
        `--log-file=${at('ovs-vswitchd.log')}`,
        '-vconsole:off',
      ]),
    )

  runOrThrow(['ovsdb-tool', 'create', at('conf.db'), '/usr/share/openvswitch/vswitch.ovsschema'])
  runOrThrow(
    tool([
      'ovsdb-server',
      at('conf.db'),
      `--remote=punix:${at('db.sock')}`,
      `--pidfile=${at('ovsdb-server.pid')}`,
      '--detach',
      '--no-chdir',
      `--log-file=${at('ovsdb-server.log')}`,
      '-vconsole:off',
    ]),
  )
  runOrThrow(tool(['ovs-vsctl', database, '--no-wait', 'init']))
  startSwitch()
  return {
    rundir: directory,
    vsctl: (...args) => runOrThrow(tool(['ovs-vsctl', database, '--timeout=20', ...args])),
    ofctl: (args, stdin) => {
      const [command = '', bridge = '', ...rest] = args
      return namespace.run(
        [
          ...environment,
          'ovs-ofctl',
          '-O',
          'OpenFlow14',
          command,
          ...(bridge === '' ? [] : [bridge]),
          ...rest,
        ],
        stdin,
      )
    },
    appctl: (...args) => runOrThrow(tool(['ovs-appctl', ...args])),
    restart: () => {
      endDaemon(at('ovs-vswitchd.pid'))
      startSwitch()
    },
    stop: () => {
      endDaemon(at('ovs-vswitchd.pid'))
      endDaemon(at('ovsdb-server.pid'))
    },
  }
}

/** Ends the process whose pid stands in `pidFile` and waits until it is gone (at most 5 s). Absent file: nothing to do. */
export function endDaemon(pidFile: string): void {
  const pid = readPid(pidFile)
  if (pid !== undefined) runOrThrow(['sh', '-c', endScript, 'sh', `${pid}`])
}

/** A zombie is gone: only its parent can say so to the kernel, and in a container process 1 may not care. */
const endScript = `
  alive() { kill -0 "$1" 2>/dev/null && ! grep -q "^State:[[:space:]]*Z" "/proc/$1/status" 2>/dev/null; }
  kill "$1" 2>/dev/null
  n=0
  while alive "$1"; do
    n=$((n+1))
    [ $n -ne 250 ] || kill -9 "$1"
    [ $n -lt 300 ] || exit 1
    sleep 0.02
  done
  exit 0`

function readPid(pidFile: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8').trim())
    return Number.isInteger(pid) && pid > 1 ? pid : undefined
  } catch {
    return undefined
  }
}
