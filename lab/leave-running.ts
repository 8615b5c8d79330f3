import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Fleet } from './fleet.ts'
import { keepLab } from './registry.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Lets the lab outlive the demo: writes what `lab/enter` needs, and says what can be done. */
export function leaveRunning({ lab, directory }: Fleet): void {
  const run = process.env['GITWALL_LAB_RUN']
  if (run === undefined) throw new Error('--keep needs the namespace that `npm run demo` makes: use that')
  const bin = join(lab.directory, 'bin')
  mkdirSync(bin)
  writeTool(bin, 'reconcile', `node "${root}dist/cli/main.js" -C "${directory}" -F "${lab.sshConfigFile}"`)
  writeTool(bin, 'ssh', `/usr/bin/ssh -F "${lab.sshConfigFile}"`)
  writeFileSync(join(lab.directory, 'controller'), `${run}-controller\n`)
  keepLab(run)
  lab.keep()
  console.log(`
The lab stays. Hosts: ${[...lab.hosts.keys()].join(' ')}. Its policies are a Git repository of their own: ${directory}
  sudo lab/enter                    a shell from which the hosts can be reached: reconcile plan, ssh ${[...lab.hosts.keys()][0]}
  sudo ip netns exec ${lab.prefix}-${[...lab.guests.keys()][0]} sh      inside a guest
  sudo lab/stop                     ends it`)
}

function writeTool(directory: string, name: string, command: string): void {
  const file = join(directory, name)
  writeFileSync(file, `#!/bin/sh\nexec ${command} "$@"\n`)
  chmodSync(file, 0o755)
}
