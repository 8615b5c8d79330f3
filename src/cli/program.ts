import { readFileSync } from 'node:fs'
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { suggest } from '../repo/suggest.ts'
import type { ExitCode } from './exit-code.ts'
import { interruptSignal } from './interrupt.ts'
import type { Context, Options } from './options.ts'

const description = `Keeps the firewalls of a fleet of hypervisors equal to what Git says.

Reads inventory/ and policies/ at a commit, works out what each host should
hold, reads over SSH what it does hold (Open vSwitch, iptables, ipset,
nftables), and applies the smallest difference. A host that is not confirmed
over a new connection goes back by itself.

Without a command: plan, show it, ask, apply.`

const afterHelp = `
Examples:
  reconcile validate                         check the repository; needs no host
  reconcile plan                             what would change on every host; writes nothing
  reconcile --host hv-ams-1                  plan, ask, apply on one host
  reconcile apply --limit 'prod:!canary'     apply without a question, as CI does on merge
  reconcile drift --format json -o drift.json
  reconcile diff main                        who may newly talk to whom since main
  reconcile show rule 1f2e3d4c5b6a           from a flow cookie or a rule comment to file:line
  reconcile rollback --host hv-ams-1         back to the state before the last change

Exit codes (of several the first in 6 5 3 1 4 2 0):
  0  in sync, or done and confirmed
  1  wrong usage, bad input, internal error: nothing was written
  2  differences found (plan, drift, diff); --exit-zero makes it 0
  3  refused by a guard: nothing was written there
  4  some hosts unreachable, everything reached is fine
  5  failed, and every touched host is confirmed or back where it was
  6  at least one host is in an unknown state: a person is needed
`

/**
 * The command line. Everything that does work is imported when its command runs, so that `--help` costs next to nothing.
 * `ended` gets the exit code of a command; wrong usage and help end in a `CommanderError`.
 */
export function buildProgram(ended: (code: ExitCode) => void): Command {
  const program = new Command('reconcile')
    .description(description)
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help; "reconcile help plan" for one command')
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(add --help for what there is)')
    .exitOverride()
    .addHelpText('after', afterHelp)
  addOptions(program)
  addReaders(program, ended)
  addWriters(program, ended)
  return program
}

function addOptions(program: Command): void {
  program
    .optionsGroup('Which repository:')
    .option('-C, --repo <dir>', 'directory of the repository', '.')
    .addOption(
      new Option('--ref <ref>', 'commit, branch or tag to read').default('HEAD').conflicts('worktree'),
    )
    .option('--worktree', 'read the files on disk, committed or not')
    .option('--connection-ref <ref>', 'connect as this commit says; hosts it lacks are not contacted')
    .optionsGroup('Which hosts (default: all):')
    .option('--host <name>', 'one hypervisor by its exact name; may be repeated', append)
    .option('-l, --limit <pattern>', "Ansible host pattern, such as 'prod:&ams:!canary'")
    .optionsGroup('Output:')
    .addOption(
      new Option('--format <format>', 'of the report on stdout').choices(['text', 'json']).default('text'),
    )
    .option('-o, --output <file>', 'write the report there instead of stdout')
    .option('-q, --quiet', 'no progress on stderr')
    .option('-v, --verbose', 'show every object and line, and hosts that are in sync')
    .option('--no-color', 'no colours (also: NO_COLOR)')
    .optionsGroup('Connections:')
    .option('-F, --ssh-config <file>', 'ssh configuration, as ssh -F')
    .option('--known-hosts <file>', 'known_hosts file instead of the configured ones')
    .option('--forks <number>', 'hosts at a time', integer(1, 1024), 64)
    .option('--timeout <seconds>', 'how long a host may take to answer', integer(1, 3600), 120)
    .optionsGroup('Writing:')
    .option('-y, --yes', 'do not ask')
    .option(
      '--confirm-window <seconds>',
      'a changed host that is not confirmed by then goes back',
      integer(5, 3600),
      60,
    )
}

interface TraceOptions {
  readonly from?: string
  readonly to?: string
  readonly port?: string
  readonly live?: boolean
  readonly state?: string
  readonly packet?: string
}

function addReaders(program: Command, ended: (code: ExitCode) => void): void {
  program.commandsGroup('Commands that write nothing:')
  command(program, 'validate', 'check schema, references, lint and tests; asks no host')
    .option('--coverage', 'list the rules that no policy test exercises')
    .action(async (own: { coverage?: boolean }, self: Command) => {
      await run(self, ended, 'reads', async (context) =>
        (await import('./validate.ts')).validate(context, own),
      )
    })
  command(program, 'plan', 'show what apply would change on each host')
    .addOption(exitZero())
    .action(async (own: { exitZero?: boolean }, self: Command) => {
      await run(self, ended, 'reads', async (context) => (await import('./plan.ts')).plan(context, own))
    })
  command(program, 'drift', 'show what differs from what was last confirmed on each host')
    .addOption(exitZero())
    .action(async (own: { exitZero?: boolean }, self: Command) => {
      await run(self, ended, 'reads', async (context) => (await import('./drift.ts')).drift(context, own))
    })
  command(program, 'diff', 'show what one commit lets pass and another does not; asks no host')
    .argument('<base>', 'commit, branch or tag to compare with')
    .argument('[head]', 'commit to look at; default: that of --ref, or with --worktree the files on disk')
    .addOption(exitZero())
    .action(async (base: string, head: string | undefined, own: { exitZero?: boolean }, self: Command) => {
      const what = head === undefined ? { ...own, base } : { ...own, base, head }
      await run(self, ended, 'reads', async (context) => (await import('./diff.ts')).diff(context, what))
    })
  command(program, 'snapshots', 'list the snapshots that --host keeps').action(async (_, self: Command) => {
    await run(self, ended, 'reads', async (context) => (await import('./snapshots.ts')).snapshots(context))
  })
  command(program, 'show', 'effective policy and rendered state, or where a rule comes from; asks no host')
    .addArgument(new Argument('<thing>', 'what to show').choices(['host', 'guest', 'rule']))
    .argument('<name>', 'its name in the inventory, or the id of a rule')
    .action(async (thing: 'host' | 'guest' | 'rule', name: string, _, self: Command) => {
      await run(self, ended, 'reads', async (context) =>
        (await import('./show.ts')).show(context, thing, name),
      )
    })
  command(program, 'trace', 'verdict on a packet, and the flow or rule that decides')
    .option('--from <end>', 'guest, hypervisor or address it comes from')
    .option('--to <end>', 'guest, hypervisor or address it goes to')
    .option('--port <service>', 'tcp/443, udp/53, icmp/8, or the name of a service')
    .option('--live', 'by what the hosts hold now, foreign rules included; without it by what Git wants')
    .addOption(
      new Option('--state <dir>', 'by the files of "reconcile capture", with --packet').conflicts([
        'from',
        'to',
        'port',
        'live',
      ]),
    )
    .addOption(
      new Option(
        '--packet <fields>',
        'bridge=,in=,out=,dl_src=,dl_dst=,src=,dst=,proto=,sport=,dport=,type=,code=,ct=',
      ),
    )
    .action(async (own: TraceOptions, self: Command) => {
      const { state, packet, from, to, port, live } = own
      if (state !== undefined && packet !== undefined) {
        return await run(self, ended, 'reads', async (context) =>
          (await import('./trace-state.ts')).traceStateFiles(context, { state, packet }),
        )
      }
      if (from === undefined || to === undefined || port === undefined)
        self.error('error: trace needs --from, --to and --port, or --state and --packet')
      return await run(self, ended, 'reads', async (context) =>
        (await import('./trace.ts')).trace(context, { from, to, port, live: live === true }),
      )
    })
  command(program, 'capture', "keep a host's raw state as plain files, for trace --state")
    .requiredOption('--out <dir>', 'directory for the files; made when it is not there')
    .action(async (own: { out: string }, self: Command) => {
      await run(self, ended, 'reads', async (context) => (await import('./capture.ts')).capture(context, own))
    })
  command(program, 'schema', 'print a JSON Schema, for editors and for readers of --format json')
    .addArgument(
      new Argument('[name]', 'of what').choices(['policies', 'inventory', 'report']).default('policies'),
    )
    .action(async (name: 'policies' | 'inventory' | 'report', _, self: Command) => {
      await run(self, ended, 'reads', async (context) => (await import('./schema.ts')).schema(context, name))
    })
}

function addWriters(program: Command, ended: (code: ExitCode) => void): void {
  program.commandsGroup('Commands that write to hosts:')
  command(program, 'apply', 'make every host what the commit says, without asking').action(
    async (_, self: Command) => {
      await run(self, ended, 'writes', async (context) => (await import('./apply.ts')).apply(context))
    },
  )
  command(program, 'rollback', 'bring --host back to a snapshot')
    .option('--to <snapshot>', 'its id, see "reconcile snapshots"; default: the newest')
    .action(async (own: { to?: string }, self: Command) => {
      await run(self, ended, 'writes', async (context) =>
        (await import('./rollback.ts')).rollback(context, own),
      )
    })
  command(program, 'recover', 'end what a run left open on --host, by going back').action(
    async (_, self: Command) => {
      await run(self, ended, 'writes', async (context) => (await import('./recover.ts')).recover(context))
    },
  )
  program.allowExcessArguments().action(async (_, self: Command) => {
    const [word] = self.args
    if (word !== undefined) self.error(unknownCommand(program, word), { code: 'commander.unknownCommand' })
    await run(self, ended, 'writes', async (context) => (await import('./reconcile.ts')).reconcile(context))
  })
}

function command(program: Command, name: string, summary: string): Command {
  return program.command(name).description(summary).allowExcessArguments(false)
}

async function run(
  self: Command,
  ended: (code: ExitCode) => void,
  mode: 'reads' | 'writes',
  work: (context: Context) => Promise<ExitCode>,
): Promise<void> {
  const options = { ...unsaid, ...self.optsWithGlobals<Options>() }
  try {
    ended(await work({ options, signal: interruptSignal(mode) }))
  } catch (error) {
    ;(await import('./failure.ts')).sayFailure(error, options)
    ended(1)
  }
}

/** Here rather than as defaults, since help would print each of them. */
const unsaid = { worktree: false, host: [], yes: false, quiet: false, verbose: false }

function unknownCommand(program: Command, word: string): string {
  const near = suggest(
    word,
    program.commands.map((one) => one.name()),
  )
  return `error: unknown command '${word}'${near === undefined ? '' : `\n(Did you mean ${near}?)`}`
}

function exitZero(): Option {
  return new Option('--exit-zero', 'exit code 0 when differences are found')
}

function append(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d{1,9}$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`Use a whole number from ${least} to ${most}.`)
  }
}

/** From package.json, two levels up from both src/cli and dist/cli. */
function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
