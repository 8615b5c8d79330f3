import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Shared, closeShared, createShared } from '../../src/host/bastion.ts'
import { createSemaphore } from '../../src/host/semaphore.ts'
import { connect } from '../../src/host/ssh.ts'
import type { SshTarget } from '../../src/host/ssh-config.ts'
import { type TestHost, startTestHost, until } from './test-host.ts'

let host: TestHost
let shared: Shared
/** The host's own sshd, seen from inside, with itself as the bastion. */
let inner: SshTarget

beforeAll(async () => {
  host = await startTestHost()
  appendFileSync(
    join(host.directory, 'known_hosts'),
    `127.0.0.1 ${readFileSync(join(host.directory, 'host-key.pub'), 'utf8')}`,
  )
  inner = { ...host.target, name: 'inner', port: 22, jumps: [{ ...host.target, name: 'gate' }] }
  shared = createShared()
})
afterAll(async () => {
  await closeShared(shared)
  await host.stop()
})

describe('a host behind a bastion', () => {
  test('is reached, and twelve at once share one connection to the bastion', async () => {
    const before = host.relay.count()
    const connections = await Promise.all(
      Array.from({ length: 12 }, () => connect(inner, { shared, retryDelaysMs: [] })),
    )
    const results = await Promise.all(
      connections.map((connection) => connection.run({ script: 'echo "$SSH_CONNECTION"', timeoutMs: 5000 })),
    )
    for (const connection of connections) connection.close()
    expect(new Set(results.map(({ stdout }) => stdout.toString().split(' ')[3]))).toEqual(new Set(['22\n']))
    expect(host.relay.count()).toBe(before + 1)
  })

  test('behind another bastion is reached through both', async () => {
    const middle = { ...host.target, name: 'middle', port: 22 }
    const connection = await connect(
      { ...inner, jumps: [...inner.jumps, middle] },
      { shared, retryDelaysMs: [] },
    )
    const { stdout } = await connection.run({ script: 'echo here', timeoutMs: 5000 })
    connection.close()
    expect(stdout.toString()).toBe('here\n')
  })

  test('is lost with the bastion, and reached again through a new connection', async () => {
    const connection = await connect(inner, { shared, retryDelaysMs: [] })
    const running = connection.run({ script: 'echo x >/run/begun; sleep 20', timeoutMs: 15_000 })
    const ended = running.catch((error: unknown) => error)
    await until(() => host.run(['rm', '/run/begun']).code === 0)
    host.relay.cut('rst')
    expect(await ended).toMatchObject({ kind: 'lost' })
    await until(() => shared.bastions.size === 0)
    const again = await connect(inner, { shared, retryDelaysMs: [] })
    again.close()
    expect(shared.bastions.size).toBe(1)
  })

  test('that nobody answers for is refused in the name of the host', async () => {
    const target = { ...inner, port: 23 }
    await expect(connect(target, { shared, retryDelaysMs: [] })).rejects.toMatchObject({
      kind: 'refused',
      message: expect.stringMatching(
        /^inner: the bastion cannot reach 127\.0\.0\.1:23 \(.*\): check the address and the port$/,
      ),
    })
  })

  test('is not reached through a bastion with another key', async () => {
    const gate = { ...host.target, name: 'gate', knownHostsFiles: ['/nonexistent'], user: 'other' }
    await expect(connect({ ...inner, jumps: [gate] }, { shared, retryDelaysMs: [] })).rejects.toMatchObject({
      kind: 'host-key',
      message: expect.stringMatching(/^inner: bastion gate: host key not known/),
    })
  })

  test('has its own host key checked', async () => {
    const target = { ...inner, knownHostsFiles: ['/nonexistent'] }
    await expect(connect(target, { shared, retryDelaysMs: [] })).rejects.toMatchObject({
      kind: 'host-key',
      message: expect.stringMatching(/^inner: host key not known/),
    })
  })
})

describe('a semaphore', () => {
  test('lets no more than its limit run for one key, in order, and all in the end', async () => {
    const semaphore = createSemaphore(3)
    const started: number[] = []
    let running = 0
    let most = 0
    await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        semaphore.run('gate', async () => {
          started.push(index)
          most = Math.max(most, ++running)
          await delay(index % 4)
          running--
          if (index % 5 === 0) throw new Error('as it happens')
        }),
      ),
    )
    expect(most).toBe(3)
    expect(started).toEqual([...started].sort((a, b) => a - b))
    expect(started).toHaveLength(20)
  })

  test('does not let one key wait for another', async () => {
    const semaphore = createSemaphore(1)
    const other = await semaphore.run('one', () => semaphore.run('two', () => Promise.resolve('through')))
    expect(other).toBe('through')
  })
})
