import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Shared, closeShared, createShared } from '../../src/host/bastion.ts'
import { parseSections, read } from '../../src/host/read.ts'
import { type Connection, connect } from '../../src/host/ssh.ts'
import { type TestHost, startTestHost } from './test-host.ts'

let host: TestHost
let shared: Shared
let connection: Connection

beforeAll(async () => {
  host = await startTestHost()
  shared = createShared()
  connection = await connect(host.target, { shared, retryDelaysMs: [] })
})
afterAll(async () => {
  connection.close()
  await closeShared(shared)
  await host.stop()
})
beforeEach(() => rmSync(host.state, { recursive: true, force: true }))

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

describe('reading a host', () => {
  test('gives what every probe printed, whatever that is', async () => {
    const reading = await read(connection, [
      { name: 'ipset', script: 'echo "it\'s \\"quoted\\""; printf "no newline"' },
      { name: 'empty', script: ':' },
      { name: 'fails', script: 'echo partial; echo why >&2; exit 3' },
      { name: 'bytes', script: "printf '\\303\\244\\ngitwall-section x 0 0 0\\n'" },
      { name: 'broken', script: 'if' },
    ])
    expect(Object.fromEntries(reading.outputs)).toEqual({
      ipset: { stdout: 'it\'s "quoted"\nno newline', stderr: '', code: 0 },
      empty: { stdout: '', stderr: '', code: 0 },
      fails: { stdout: 'partial\n', stderr: 'why\n', code: 3 },
      bytes: { stdout: 'ä\ngitwall-section x 0 0 0\n', stderr: '', code: 0 },
      broken: { stdout: '', stderr: expect.stringContaining('yntax error') as string, code: 2 },
    })
  })

  test('writes nothing: no record, nothing pending, no trace', async () => {
    const reading = await read(connection, [])
    expect(reading).toMatchObject({ pending: [], transactions: [] })
    expect(reading.confirmed).toBeUndefined()
    expect(host.run(['ls', '/var/lib', '/run/tmp']).stdout).toBe('/run/tmp:\n\n/var/lib:\n')
  })

  test('keeps one probe from changing another', async () => {
    const reading = await read(connection, [
      { name: 'one', script: 'section_code=9 home=/x directory=/x; cd /; set -x; PATH=; exec 1>&-' },
      { name: 'two', script: 'echo "${home-unset} $PATH"; cat' },
    ])
    expect(reading.outputs.get('two')).toMatchObject({
      stdout: 'unset /usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin\n',
      code: 0,
    })
  })

  test('has a fingerprint of names, outputs and codes, without the facts', async () => {
    const probes = [
      { name: 'facts', script: 'date +%N' },
      { name: 'ipset', script: 'echo a' },
      { name: 'nft', script: 'echo b; exit 1' },
    ]
    const lines = [`ipset ${sha256('a\n\nexit 0\n')}\n`, `nft ${sha256('b\n\nexit 1\n')}\n`]
    expect((await read(connection, probes)).fingerprint).toBe(sha256(lines.join('')))
    expect((await read(connection, probes)).fingerprint).toBe(sha256(lines.join('')))
  })

  test('gives back the record and tells the states of transactions', async () => {
    const thisBoot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')
    const state = (id: string, marker: string, boot = thisBoot) => {
      mkdirSync(join(host.state, 'tx', id), { recursive: true })
      if (marker !== '') writeFileSync(join(host.state, 'tx', id, marker), boot)
    }
    state('t1', 'armed')
    state('t2', 'reverting')
    state('t3', 'confirmed')
    state('t4', '')
    state('t5', 'armed', 'an earlier boot\n')
    mkdirSync(join(host.state, 'tx', 'not an id'))
    writeFileSync(join(host.state, 'confirmed'), '{"a": "ä"}\n')
    const reading = await read(connection, [])
    expect(reading.confirmed).toBe('{"a": "ä"}\n')
    expect([...reading.pending].sort()).toEqual(['t1', 't2'])
    expect([...reading.transactions].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
      { id: 't1', state: 'armed' },
      { id: 't2', state: 'reverting' },
      { id: 't3', state: 'confirmed' },
      { id: 't4', state: 'prepared' },
      { id: 't5', state: 'rebooted' },
    ])
  })

  test('takes an output of 30 MB, and refuses it above the limit', async () => {
    const probes = [{ name: 'flows', script: 'head -c 30000000 /dev/zero' }]
    const reading = await read(connection, probes)
    expect(reading.outputs.get('flows')?.stdout).toHaveLength(30_000_000)
    const other = await connect(host.target, { shared, retryDelaysMs: [] })
    await expect(read(other, probes, { maxOutputBytes: 20_000_000 })).rejects.toMatchObject({
      kind: 'output',
    })
  })

  test('bounds what a probe says on stderr', async () => {
    const reading = await read(connection, [{ name: 'loud', script: 'head -c 1000000 /dev/zero >&2' }])
    expect(reading.outputs.get('loud')?.stderr).toHaveLength(65536)
  })

  test('refuses a name that could be mistaken', async () => {
    for (const name of ['record', 'a b', "a'b", 'A', ''])
      await expect(read(connection, [{ name, script: ':' }])).rejects.toThrow('cannot have the name')
  })
})

const good = 'gitwall-section a 0 3 2\nabcdegitwall-section b 1 0 0\ngitwall-end 2\n'

function parse(text: string): ReturnType<typeof parseSections> {
  return parseSections(Buffer.from(text), ['a', 'b'])
}

describe('the answer of a lying host', () => {
  test('is taken apart when it is right', () => {
    expect(parse(good)).toEqual(
      new Map([
        ['a', { code: 0, stdout: Buffer.from('abc'), stderr: 'de' }],
        ['b', { code: 1, stdout: Buffer.from(''), stderr: '' }],
      ]),
    )
  })

  test.each([
    ['nothing', ''],
    ['noise before', `Welcome!\n${good}`],
    ['noise after', `${good}bye\n`],
    ['cut off in a header', good.slice(0, 10)],
    ['cut off in the text', good.slice(0, 26)],
    ['without its end', good.replace('gitwall-end 2\n', '')],
    ['another count', good.replace('end 2', 'end 3')],
    ['another name', good.replace('section b', 'section c')],
    ['the same section twice', good.replace('section b', 'section a')],
    ['a negative length', good.replace('0 3 2', '0 -3 2')],
    ['a length beyond the end', good.replace('0 3 2', '0 9999999999 2')],
    ['a length with an exponent', good.replace('0 3 2', '0 3e0 2')],
    ['a length that overlaps the next section', good.replace('0 3 2', '0 4 2')],
    ['no line end', 'x'.repeat(1_000_000)],
  ])('is refused with %s', (_, text) => {
    expect(parse(text)).toEqual(expect.any(String))
  })
})
