import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readWorktree } from '../src/git/worktree.ts'
import { loadRepo } from '../src/repo/load.ts'
import { formatSource } from '../src/repo/problem.ts'
import { type Lab, startLab } from './lab.ts'
import { type LabPlan, labPlanOf } from './plan.ts'
import { keepLab } from './registry.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<void> {
  const keep = args.includes('--keep')
  const unknown = args.find((arg) => arg !== '--keep')
  if (unknown !== undefined) throw new Error(`"${unknown}": the demo knows --keep only`)
  const startMs = performance.now()
  const lab = await startLab(await demoPlan())
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  console.log(`${lab.hosts.size} hosts with ${lab.guests.size} guests run, after ${seconds} s`)
  if (keep) leaveRunning(lab)
  else lab.stop()
}

/** The lab of the repository's own fleet. */
async function demoPlan(): Promise<LabPlan> {
  const { files } = await readWorktree(root, ['inventory', 'policies'])
  const { repo, problems } = loadRepo(files)
  const errors = problems.filter((problem) => problem.severity === 'error')
  if (errors.length === 0) return labPlanOf(repo)
  throw new Error(errors.map((problem) => `${formatSource(problem.at)}: ${problem.message}`).join('\n'))
}

/** Writes what `lab/enter` needs, and says what can be done. */
function leaveRunning(lab: Lab): void {
  const run = process.env['GITWALL_LAB_RUN']
  if (run === undefined) throw new Error('--keep needs the namespace that `npm run demo` makes: use that')
  const bin = join(lab.directory, 'bin')
  mkdirSync(bin)
  writeTool(bin, 'reconcile', `node "${root}dist/cli/main.js" -C "${root}" -F "${lab.sshConfigFile}"`)
  writeTool(bin, 'ssh', `/usr/bin/ssh -F "${lab.sshConfigFile}"`)
  writeFileSync(join(lab.directory, 'controller'), `${run}-controller\n`)
  keepLab(run)
  lab.keep()
  console.log(`
The lab stays. Hosts: ${[...lab.hosts.keys()].join(' ')}
  sudo lab/enter                    a shell from which the hosts can be reached: reconcile plan, ssh ${[...lab.hosts.keys()][0]}
  sudo ip netns exec ${lab.prefix}-${[...lab.guests.keys()][0]} sh      inside a guest
  sudo lab/stop                     ends it`)
}

function writeTool(directory: string, name: string, command: string): void {
  const file = join(directory, name)
  writeFileSync(file, `#!/bin/sh\nexec ${command} "$@"\n`)
  chmodSync(file, 0o755)
}
