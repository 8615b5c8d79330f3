import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Shared, closeShared, createShared } from '../../src/host/bastion.ts'
import { type HostReading, read } from '../../src/host/read.ts'
import { scriptText } from '../../src/host/script.ts'
import { listSnapshots, readSnapshot } from '../../src/host/snapshots.ts'
import { type Connection, connect } from '../../src/host/ssh.ts'
import { type ToolRun, type Transaction, begin, confirm, revertNow } from '../../src/host/transaction.ts'
import { type TestHost, startTestHost, until } from './test-host.ts'

let host: TestHost
let shared: Shared
let connection: Connection
let ids = 0

beforeAll(async () => {
  host = await startTestHost()
  shared = createShared()
})
afterAll(async () => {
  await closeShared(shared)
  await host.stop()
})
beforeEach(async () => {
  host.run(['ipset', 'destroy'])
  host.run(['sh', '-c', 'rm -rf /var/lib/gitwall /run/begun'])
  host.run(['ipset', 'restore'], 'create old hash:ip\nadd old 192.0.2.1\n')
  connection = await connect(host.target, { shared, retryDelaysMs: [] })
  return () => connection.close()
})

const probes = [{ name: 'ipset', script: 'ipset save | sort' }]
const nowRead = (): Promise<HostReading> => read(connection, probes)
const sets = () => host.run(['ipset', 'list', '-n']).stdout.trim().split('\n').sort()

function step(stdin: string, mayFail = false): ToolRun {
  return { argv: ['ipset', 'restore', '-exist'], stdin, mayFail }
}

/** Runs text as a shell: see `startTestHost`. */
function shell(stdin: string): ToolRun {
  return { argv: ['conntrack', '-L'], stdin }
}

const createNew = step('create new hash:ip\nadd new 192.0.2.9\n')
const destroyNew = step('destroy new\n', true)

/** Creates the set `new`; the way back destroys it. */
async function transaction(changes: Partial<Transaction> = {}): Promise<Transaction> {
  return {
    id: `t${++ids}`,
    windowSeconds: 60,
    probes,
    expected: (await nowRead()).fingerprint,
    steps: [createNew],
    undo: [destroyNew],
    snapshot: '{"state":"before"}\n',
    revertAttempts: 1,
    ...changes,
  }
}

async function stateOf(id: string): Promise<string | undefined> {
  return (await nowRead()).transactions.find((one) => one.id === id)?.state
}

/** Waits until the host has ended the transaction by itself. */
async function untilEnded(id: string): Promise<string | undefined> {
  await until(() => !['armed', 'reverting'].some((marker) => existsSync(join(host.state, 'tx', id, marker))))
  return await stateOf(id)
}

function must(argv: readonly string[]): string {
  const { code, stdout, stderr } = host.run(argv)
  if (code !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`)
  return stdout
}

const sleepers = () => must(['sh', '-c', "ps -eo args | grep -c '[g]itwall-revert /var/lib' || :"]).trim()

describe('a transaction', () => {
  test('moves the host, and is confirmed over a new connection', async () => {
    const first = await transaction()
    expect(await begin(connection, first)).toEqual({ kind: 'moved' })
    expect(sets()).toEqual(['new', 'old'])
    expect((await nowRead()).pending).toEqual([first.id])
    const second = await connect(host.target, { shared, retryDelaysMs: [] })
    expect(await confirm(second, first.id, '{"commit":"c0ffee"}')).toBe('confirmed')
    second.close()
    const reading = await nowRead()
    expect(reading).toMatchObject({ confirmed: '{"commit":"c0ffee"}', pending: [] })
    expect(await stateOf(first.id)).toBe('confirmed')
    expect(await listSnapshots(connection)).toMatchObject([{ id: first.id, bytes: 19 }])
    expect(await readSnapshot(connection, first.id)).toBe('{"state":"before"}\n')
  })

  test('keeps its directory to root', async () => {
    await begin(connection, await transaction())
    expect(statSync(host.state).mode & 0o777).toBe(0o700)
  })

  test('that nobody confirms goes back by itself at the end of its window', async () => {
    const lonely = await transaction({ windowSeconds: 2 })
    expect(await begin(connection, lonely)).toEqual({ kind: 'moved' })
    connection.close()
    expect(sets()).toEqual(['new', 'old'])
    await until(() => existsSync(join(host.state, 'tx', lonely.id, 'reverted')))
    expect(sets()).toEqual(['old'])
    connection = await connect(host.target, { shared, retryDelaysMs: [] })
    expect(await confirm(connection, lonely.id, 'too late')).toBe('reverted')
    expect((await nowRead()).confirmed).toBeUndefined()
  })

  test('goes back by order, and says so however often it is asked', async () => {
    const unwanted = await transaction()
    await begin(connection, unwanted)
    expect(await revertNow(connection, unwanted.id)).toBe('reverted')
    expect(sets()).toEqual(['old'])
    expect(await revertNow(connection, unwanted.id)).toBe('reverted')
    expect(await confirm(connection, unwanted.id, 'x')).toBe('reverted')
  })

  test('that is confirmed cannot go back, and says so however often it is asked', async () => {
    const wanted = await transaction()
    await begin(connection, wanted)
    expect(await confirm(connection, wanted.id, 'a')).toBe('confirmed')
    expect(await confirm(connection, wanted.id, 'b')).toBe('confirmed')
    expect(await revertNow(connection, wanted.id)).toBe('confirmed')
    expect((await nowRead()).confirmed).toBe('a')
    expect(sets()).toEqual(['new', 'old'])
  })

  test('leaves no timer behind, whichever way it ends', async () => {
    const before = sleepers()
    for (const end of [
      (id: string) => confirm(connection, id, 'x'),
      (id: string) => revertNow(connection, id),
    ]) {
      const one = await transaction({ steps: [], undo: [] })
      await begin(connection, one)
      expect(sleepers()).not.toBe(before)
      await end(one.id)
      expect(sleepers()).toBe(before)
    }
  })

  test('keeps the last ten snapshots and the last few directories', async () => {
    for (let round = 0; round < 12; round++) {
      const one = await transaction({ steps: [], undo: [] })
      expect(await begin(connection, one)).toEqual({ kind: 'moved' })
      expect(await confirm(connection, one.id, 'x')).toBe('confirmed')
      // Directories and snapshots are ordered by time, which the file system counts in milliseconds.
      await delay(10)
    }
    const kept = (await listSnapshots(connection)).map(({ id }) => id)
    expect(kept).toEqual(Array.from({ length: 10 }, (_, index) => `t${ids - index}`))
    expect(readdirSync(join(host.state, 'tx'))).toHaveLength(5)
  }, 30_000)
})

describe('a transaction is refused', () => {
  test('when the host is not as it was read', async () => {
    const stale = await transaction()
    host.run(['ipset', 'add', 'old', '192.0.2.2'])
    expect(await begin(connection, stale)).toEqual({ kind: 'refused', why: 'changed' })
    expect(sets()).toEqual(['old'])
    expect(readdirSync(join(host.state, 'tx'))).toEqual([])
  })

  test('while another waits for its confirmation', async () => {
    const first = await transaction()
    await begin(connection, first)
    expect(await begin(connection, await transaction())).toEqual({ kind: 'refused', why: 'pending' })
    await revertNow(connection, first.id)
    expect(await begin(connection, await transaction())).toEqual({ kind: 'moved' })
  })

  test('while another is moving', async () => {
    const slow = begin(connection, await transaction({ steps: [shell('echo >/run/begun; sleep 1')] }))
    await until(() => host.run(['test', '-e', '/run/begun']).code === 0)
    expect(await begin(connection, await transaction())).toEqual({ kind: 'refused', why: 'locked' })
    expect(await slow).toEqual({ kind: 'moved' })
  })

  test('when its upload is cut off or damaged, before anything is done', async () => {
    const header = (size: number) =>
      `gitwall-begin-1 t-cut 60 ${'0'.repeat(64)} 10 ${size} ${'0'.repeat(64)}\n`
    for (const stdin of [
      '',
      'hello\n',
      header(100),
      `${header(4)}1234`,
      header(4).replace('t-cut', '../x'),
    ]) {
      const result = await connection.run({ script: scriptText('transaction'), stdin, timeoutMs: 5000 })
      expect([result.code, result.stdout.toString()]).toEqual([71, ''])
    }
    expect(await nowRead()).toMatchObject({ pending: [], transactions: [] })
  })

  test('when its id could lead out of its directory', async () => {
    const orders = {
      transaction: (id: string) => `gitwall-begin-1 ${id} 60 0 0 0 0\n`,
      confirm: (id: string) => `gitwall-confirm-1 ${id} 0 0\n`,
      revert: (id: string) => `${id}\n`,
    } as const
    for (const name of ['transaction', 'confirm', 'revert'] as const)
      for (const id of ['../x', 'x/../../y', '.', '-x', 'x*', 'x'.repeat(65)]) {
        const stdin = orders[name](id)
        const result = await connection.run({ script: scriptText(name), stdin, timeoutMs: 5000 })
        expect([result.code, result.stderr]).toEqual([71, "the transaction's id is malformed\n"])
      }
  })

  test('when it was given up before it began', async () => {
    const late = await transaction()
    expect(await revertNow(connection, late.id)).toBe('unknown-id')
    await expect(begin(connection, late)).rejects.toMatchObject({ kind: 'tool' })
    expect(sets()).toEqual(['old'])
  })

  test('when it was begun before', async () => {
    const one = await transaction()
    await begin(connection, one)
    await confirm(connection, one.id, 'x')
    await expect(begin(connection, { ...one, expected: (await nowRead()).fingerprint })).rejects.toThrow(
      /exists already/,
    )
  })

  test('with a word that a shell could take for something else', async () => {
    const good = await transaction()
    for (const word of ['a b', '$(id)', '', 'a;b', '*', "'", 'a\nb', '~', '`a`', 'ä']) {
      const steps = [{ argv: ['ipset', word], stdin: '' }]
      await expect(begin(connection, { ...good, steps })).rejects.toThrow('cannot be a word of a step')
      await expect(begin(connection, { ...good, undo: steps })).rejects.toThrow('cannot be a word of a step')
    }
  })
})

describe('a step', () => {
  test.each([0, 1, 2])(
    'that fails as number %i stops the rest, and the way back leads back',
    async (index) => {
      const good = [createNew, step('create new2 hash:ip\n'), step('create new3 hash:ip\n')]
      const steps = good.map((one, at) => (at === index ? step('add nowhere 192.0.2.1\n') : one))
      const undo = ['new', 'new2', 'new3'].map((name) => step(`destroy ${name}\n`, true))
      const failing = await transaction({ steps, undo })
      expect(await begin(connection, failing)).toEqual({
        kind: 'failed-step',
        index,
        code: 1,
        stderr: expect.stringContaining('does not exist') as string,
      })
      expect(sets()).toHaveLength(1 + index)
      await expect(confirm(connection, failing.id, 'x')).rejects.toMatchObject({ kind: 'tool' })
      expect(await revertNow(connection, failing.id)).toBe('reverted')
      expect(sets()).toEqual(['old'])
    },
  )

  test('that says something on stderr failed although its code is 0', async () => {
    const result = await begin(
      connection,
      await transaction({ steps: [shell('echo "odd; \\033[2J" >&2'), createNew] }),
    )
    expect(result).toMatchObject({ kind: 'failed-step', index: 0, code: 0 })
    expect(sets()).toEqual(['old'])
  })

  test.each([
    '# Warning: iptables-legacy tables present, use iptables-legacy to see them',
    '# Warning: ip6tables-legacy tables present, use ip6tables-legacy to see them',
    'conntrack v1.4.7 (conntrack-tools): 3 flow entries have been deleted.',
    'Another app is currently holding the xtables lock; still 9s 0us time ahead to have a chance to grab the lock...',
  ])('may say "%s"', async (line) => {
    expect(await begin(connection, await transaction({ steps: [shell(`echo '${line}' >&2`)] }))).toEqual({
      kind: 'moved',
    })
  })

  test.each([
    "# Table `filter' is incompatible, use 'nft' tool.",
    'Another app is currently holding the xtables lock. Stopped waiting after 1s.',
  ])('may not say "%s"', async (line) => {
    const steps = [shell(`echo "${line.replace('`', '\\`')}" >&2`)]
    expect(await begin(connection, await transaction({ steps }))).toMatchObject({ kind: 'failed-step' })
  })

  test('that may fail does not stop the rest', async () => {
    const steps = [step('destroy nowhere\n', true), createNew]
    expect(await begin(connection, await transaction({ steps }))).toEqual({ kind: 'moved' })
    expect(sets()).toEqual(['new', 'old'])
  })

  test.each(['sh', 'ipset-evil', './ipset', 'iptables', '-x'])(
    'is never the program "%s"',
    async (program) => {
      const steps = [{ argv: [program, '-c'], stdin: 'echo >/run/begun' }]
      expect(await begin(connection, await transaction({ steps }))).toMatchObject({
        kind: 'failed-step',
        code: 126,
      })
      expect(host.run(['test', '-e', '/run/begun']).code).toBe(1)
    },
  )

  test('gets its stdin byte by byte as it was, with any neighbours', async () => {
    const text = "a\n\n  'b' \\ $x `y`\nno end"
    const steps = [shell('cat >/dev/null'), shell(`cat >/run/begun <<'END'\n${text}\nEND\n`), shell('')]
    expect(await begin(connection, await transaction({ steps }))).toEqual({ kind: 'moved' })
    expect(must(['cat', '/run/begun'])).toBe(`${text}\n`)
  })

  test('that runs when the window ends is finished, undone, and no other runs after it', async () => {
    const slow = shell('sleep 2; ipset create late hash:ip')
    const steps = [createNew, slow, step('create never hash:ip\n')]
    const undo = ['new', 'late', 'never'].map((name) => step(`destroy ${name}\n`, true))
    const late = await transaction({ windowSeconds: 1, steps, undo })
    expect(await begin(connection, late)).toMatchObject({
      kind: 'failed-step',
      index: 2,
      code: 124,
      stderr: 'the window of 1 s ended before this step was done',
    })
    expect(await revertNow(connection, late.id)).toBe('reverted')
    expect(sets()).toEqual(['old'])
  })
})

describe('whatever happens', () => {
  test.each(['fin', 'rst'] as const)(
    'a connection lost by %s while steps run is reported as lost, and the host goes back',
    async (how) => {
      const steps = [createNew, shell('echo >/run/begun; sleep 1'), step('create new2 hash:ip\n')]
      const undo = [destroyNew, step('destroy new2\n', true)]
      const unlucky = await transaction({ windowSeconds: 2, steps, undo })
      const begun = begin(connection, unlucky).catch((error: unknown) => error)
      await until(() => host.run(['test', '-e', '/run/begun']).code === 0)
      host.relay.cut(how)
      expect(await begun).toMatchObject({ name: 'HostError', kind: 'lost' })
      connection = await connect(host.target, { shared, retryDelaysMs: [] })
      expect(await untilEnded(unlucky.id)).toBe('reverted')
      expect(sets()).toEqual(['old'])
    },
  )

  test('a script that is killed while a tool runs is undone after that tool', async () => {
    const steps = [createNew, shell('echo $PPID >/run/begun; sleep 1; ipset create late hash:ip')]
    const undo = [destroyNew, step('destroy late\n', true)]
    const killed = await transaction({ steps, undo })
    const begun = begin(connection, killed).catch((error: unknown) => error)
    await until(() => host.run(['test', '-s', '/run/begun']).code === 0)
    must(['sh', '-c', "kill -9 $(ps -eo pid,args | awk '/[g]itwall-begin-1/ { print $1 }')"])
    expect(await begun).toMatchObject({ name: 'HostError', kind: 'lost' })
    expect(await revertNow(connection, killed.id)).toBe('reverted')
    expect(sets()).toEqual(['old'])
  })

  test('of confirm and revert at the same time exactly one wins, and both say which', async () => {
    const outcomes = new Set<string>()
    const other = await connect(host.target, { shared, retryDelaysMs: [] })
    for (let round = 0; round < 12; round++) {
      host.run(['ipset', 'destroy', 'new'])
      const contested = await transaction()
      expect(await begin(connection, contested)).toEqual({ kind: 'moved' })
      // Who comes first changes from round to round.
      const [confirmed, reverted] = await Promise.all([
        delay(round % 2 === 0 ? round * 4 : 0).then(() =>
          confirm(connection, contested.id, `record ${round}`),
        ),
        delay(round % 2 === 1 ? round * 4 : 0).then(() => revertNow(other, contested.id)),
      ])
      expect(confirmed).toBe(reverted)
      expect(sets()).toEqual(confirmed === 'confirmed' ? ['new', 'old'] : ['old'])
      expect((await nowRead()).confirmed === `record ${round}`).toBe(confirmed === 'confirmed')
      outcomes.add(confirmed)
    }
    other.close()
    expect([...outcomes].sort()).toEqual(['confirmed', 'reverted'])
  }, 30_000)

  test('a host that cannot go back says so, keeps the snapshot, and goes back once it can', async () => {
    const stuck = await transaction({ undo: [step('destroy nowhere\n', true)] })
    await begin(connection, stuck)
    expect(await revertNow(connection, stuck.id)).toBe('revert-failed')
    expect(await stateOf(stuck.id)).toBe('reverting-failed')
    expect(await readSnapshot(connection, stuck.id)).toBe('{"state":"before"}\n')
    await expect(confirm(connection, stuck.id, 'x')).rejects.toThrow(
      /is reverting-failed and was not confirmed/,
    )
    must(['ipset', 'destroy', 'new'])
    expect(await revertNow(connection, stuck.id)).toBe('reverted')
  })

  test('an undo step that fails is tried again, and does not stop the others', async () => {
    const stubborn = shell('[ -e /run/begun ] || { : >/run/begun; exit 1; }; ipset destroy new')
    const one = await transaction({ undo: [step('destroy nowhere\n'), stubborn] })
    await begin(connection, one)
    expect(await revertNow(connection, one.id)).toBe('reverted')
    expect(sets()).toEqual(['old'])
  })

  test('the host goes back although its disk has become read-only', async () => {
    const broken = await transaction({ windowSeconds: 2 })
    expect(await begin(connection, broken)).toEqual({ kind: 'moved' })
    must(['mount', '-o', 'remount,ro,bind', '/var/lib'])
    try {
      await until(() => sets().length === 1)
      expect(await revertNow(connection, broken.id)).toBe('reverted')
    } finally {
      must(['mount', '-o', 'remount,rw,bind', '/var/lib'])
    }
  })

  test('what an earlier boot left armed does not block the host for ever', async () => {
    const before = await transaction()
    await begin(connection, before)
    writeFileSync(join(host.state, 'tx', before.id, 'armed'), 'another boot\n')
    expect((await nowRead()).pending).toEqual([])
    expect(await begin(connection, await transaction())).toEqual({ kind: 'moved' })
    expect(await stateOf(before.id)).toBe('rebooted')
    expect(await revertNow(connection, before.id)).toBe('reverted')
  })

  test('what a killed preparation left behind is cleared away', async () => {
    mkdirSync(join(host.state, 'tx', 'half'), { recursive: true })
    writeFileSync(join(host.state, 'tx', 'half', 'upload'), 'x')
    expect(await begin(connection, await transaction())).toEqual({ kind: 'moved' })
    expect(existsSync(join(host.state, 'tx', 'half'))).toBe(false)
  })

  test('a transaction that never was is not confirmed', async () => {
    expect(await confirm(connection, 'never', 'x')).toBe('unknown-id')
    expect((await nowRead()).confirmed).toBeUndefined()
  })

  test('a record that arrives incomplete confirms nothing', async () => {
    const one = await transaction()
    await begin(connection, one)
    const stdin = `gitwall-confirm-1 ${one.id} 100 ${'0'.repeat(64)}\nhalf`
    const result = await connection.run({ script: scriptText('confirm'), stdin, timeoutMs: 5000 })
    expect([result.code, result.stdout.toString()]).toEqual([71, ''])
    expect(await stateOf(one.id)).toBe('armed')
    expect(await confirm(connection, one.id, 'whole')).toBe('confirmed')
  })
})

describe('on a host with systemd', () => {
  let systemd: TestHost
  // They do what the real ones are asked for, as far as that can be done without them; and write down how they were called.
  const runner = `#!/bin/sh
    printf '%s\\n' "$@" >/run/systemd-run
    while [ "$1" != /bin/sh ]; do case $1 in --on-active=*) time=\${1#*=};; esac; shift; done
    setsid sh -c 'sleep "$1"; shift; exec "$@"' timer "\${time%s}" "$@" </dev/null >/dev/null 2>&1 &`
  const control = '#!/bin/sh\nprintf "%s\\n" "$*" >>/run/systemctl\n'

  beforeAll(async () => {
    systemd = await startTestHost((directory) => {
      writeFileSync(join(directory, 'systemd-run'), runner, { mode: 0o755 })
      writeFileSync(join(directory, 'systemctl'), control, { mode: 0o755 })
      mkdirSync(join(directory, 'run/systemd/system'), { recursive: true })
    })
  })
  afterAll(async () => {
    await systemd.stop()
  })

  test('the switch is a transient timer of PID 1, exact to a second', async () => {
    const link = await connect(systemd.target, { shared, retryDelaysMs: [] })
    const one = {
      ...(await transaction({ windowSeconds: 2 })),
      expected: (await read(link, probes)).fingerprint,
    }
    expect(await begin(link, one)).toEqual({ kind: 'moved' })
    const called = readFileSync(join(systemd.directory, 'run/systemd-run'), 'utf8').split('\n')
    expect(called).toEqual([
      '--quiet',
      '--collect',
      `--unit=gitwall-revert-${one.id}`,
      '--on-active=2s',
      '--timer-property=AccuracySec=1s',
      '--property=Restart=on-failure',
      '--property=RestartSec=5s',
      '--property=RestartPreventExitStatus=127',
      '--property=OOMScoreAdjust=-900',
      '/bin/sh',
      `/var/lib/gitwall/tx/${one.id}/revert.sh`,
      one.id,
      '',
    ])
    await until(() => existsSync(join(systemd.state, 'tx', one.id, 'reverted')))
    link.close()
  })

  test('the timer is stopped when it is no longer needed', async () => {
    const link = await connect(systemd.target, { shared, retryDelaysMs: [] })
    const one = { ...(await transaction()), expected: (await read(link, probes)).fingerprint }
    await begin(link, one)
    await confirm(link, one.id, 'x')
    link.close()
    const calls = readFileSync(join(systemd.directory, 'run/systemctl'), 'utf8')
    expect(calls).toContain(
      `is-active --quiet gitwall-revert-${one.id}.timer\nstop gitwall-revert-${one.id}.timer\n`,
    )
  })
})
