import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect as dial } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runOrThrow } from '../../lab/namespace.ts'
import { type Shared, closeShared, createShared } from '../../src/host/bastion.ts'
import { HostError } from '../../src/host/error.ts'
import { type Connection, connect } from '../../src/host/ssh.ts'
import type { SshTarget } from '../../src/host/ssh-config.ts'
import { type TestHost, listen, startTestHost, until } from './test-host.ts'

let host: TestHost
let shared: Shared

beforeAll(async () => {
  host = await startTestHost()
  shared = createShared()
})
afterAll(async () => {
  await closeShared(shared)
  await host.stop()
})

/** One attempt, and whatever is known of hosts is read again. */
async function connectTo(target: SshTarget, timeoutMs = 5000): Promise<Connection> {
  return await connect(target, { shared: createShared(), timeoutMs, retryDelaysMs: [] })
}

async function errorOf(work: Promise<unknown>): Promise<HostError> {
  try {
    await work
  } catch (error) {
    if (error instanceof HostError) return error
    throw error
  }
  throw new Error('it should have failed')
}

async function withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await connectTo(host.target)
  try {
    return await work(connection)
  } finally {
    connection.close()
  }
}

/** Connects, and says hello. */
async function greet(target: SshTarget): Promise<string> {
  const connection = await connectTo(target)
  const { stdout } = await connection.run({ script: 'echo hello', timeoutMs: 5000 })
  connection.close()
  return stdout.toString()
}

function knownHosts(name: string, text: string): readonly string[] {
  const file = join(host.directory, name)
  writeFileSync(file, text)
  return [file]
}

const hostKey = () => readFileSync(join(host.directory, 'host-key.pub'), 'utf8')
const lookupName = () => `[127.0.0.1]:${host.relay.port}`

describe('a command', () => {
  test('gets its data on stdin and gives back both outputs and its code', async () => {
    const result = await withConnection((connection) =>
      connection.run({ script: `cat; echo "it's" >&2; exit 7`, stdin: 'a\nb', timeoutMs: 5000 }),
    )
    expect(result).toEqual({ stdout: Buffer.from('a\nb'), stderr: "it's\n", code: 7 })
  })

  test('keeps bytes that are no text', async () => {
    const bytes = Buffer.from([0, 255, 10, 195, 40, 13])
    const { stdout } = await withConnection((connection) =>
      connection.run({ script: 'cat', stdin: bytes, timeoutMs: 5000 }),
    )
    expect(stdout).toEqual(bytes)
  })

  test('takes 20 MB there and back', async () => {
    const bytes = Buffer.alloc(20 << 20, 'gitwall')
    const { stdout } = await withConnection((connection) =>
      connection.run({ script: 'cat', stdin: bytes, timeoutMs: 20_000 }),
    )
    expect(stdout.equals(bytes)).toBe(true)
  })

  test('that a signal ended has the code a shell gives', async () => {
    const result = await withConnection((connection) =>
      connection.run({ script: 'kill -9 $$', timeoutMs: 5000 }),
    )
    expect(result.code).toBe(137)
  })

  test.each(['fin', 'rst'] as const)('whose connection ends by %s is lost, not done', async (how) => {
    const error = await withConnection(async (connection) => {
      const running = errorOf(
        connection.run({ script: 'echo begun >/run/begun; sleep 20', timeoutMs: 15_000 }),
      )
      await until(() => host.run(['rm', '/run/begun']).code === 0)
      host.relay.cut(how)
      return await running
    })
    expect(error.kind).toBe('lost')
    expect(error.message).toMatch(/^hv-1: the connection ended during a command.*: read the host again$/)
  })

  test('on a connection that is gone is lost', async () => {
    const error = await withConnection(async (connection) => {
      host.relay.cut('rst')
      await delay(100)
      return await errorOf(connection.run({ script: 'true', timeoutMs: 5000 }))
    })
    expect(error.kind).toBe('lost')
  })

  test('that takes too long is given up, and its connection with it', async () => {
    await withConnection(async (connection) => {
      const error = await errorOf(connection.run({ script: 'sleep 20', timeoutMs: 300 }))
      expect(error.kind).toBe('timeout')
      expect((await errorOf(connection.run({ script: 'true', timeoutMs: 1000 }))).kind).toBe('lost')
    })
  })

  test('that prints without end is stopped at its limit', async () => {
    const error = await withConnection((connection) =>
      errorOf(connection.run({ script: 'yes', timeoutMs: 10_000, maxOutputBytes: 1 << 20 })),
    )
    expect(error.kind).toBe('output')
  })

  test('that drips without end is stopped by its deadline', async () => {
    const script = 'n=0; while [ $n -lt 100 ]; do echo .; sleep 0.1; n=$((n+1)); done'
    const error = await withConnection((connection) => errorOf(connection.run({ script, timeoutMs: 700 })))
    expect(error.kind).toBe('timeout')
  })

  test('under sudo is run by it, and what sudoers lacks is said when it refuses', async () => {
    const sudo = join(host.directory, 'run/bin/sudo')
    writeFileSync(sudo, '#!/bin/sh\nshift; echo by sudo; exec "$@"\n', { mode: 0o755 })
    const connection = await connectTo({ ...host.target, become: true })
    const { stdout } = await connection.run({ script: 'echo "it is"', timeoutMs: 5000 })
    expect(stdout.toString()).toBe('by sudo\nit is\n')
    writeFileSync(sudo, '#!/bin/sh\necho "sudo: a password is required" >&2; exit 1\n')
    const error = await errorOf(connection.run({ script: 'true', timeoutMs: 5000 }))
    connection.close()
    expect(error.kind).toBe('tool')
    expect(error.message).toContain(
      'sudo does not let "root" in (sudo: a password is required): allow sh with NOPASSWD',
    )
  })
})

describe('a host key', () => {
  test('that is not known is refused, with the way to verify it', async () => {
    const error = await errorOf(connectTo({ ...host.target, knownHostsFiles: knownHosts('nobody', '') }))
    expect(error.kind).toBe('host-key')
    const fingerprint = runOrThrow(['ssh-keygen', '-lf', join(host.directory, 'host-key.pub')]).split(' ')[1]
    expect(error.message).toContain(`it presents ssh-ed25519 ${fingerprint}`)
    expect(error.message).toContain(`ssh-keyscan -p ${host.relay.port} 127.0.0.1`)
  })

  test('that changed is refused at once, naming file and line', async () => {
    const other = readFileSync(`${host.createKey('other-host-key')}.pub`, 'utf8')
    const knownHostsFiles = knownHosts('changed', `# comment\n${lookupName()} ${other}`)
    const before = host.relay.count()
    const target = { ...host.target, knownHostsFiles }
    const error = await errorOf(connect(target, { shared: createShared(), retryDelaysMs: [1, 1] }))
    expect(error.kind).toBe('host-key')
    expect(error.message).toContain(`HOST KEY CHANGED`)
    expect(error.message).toContain(`${knownHostsFiles[0]}:2`)
    expect(host.relay.count()).toBe(before + 1)
  })

  test('that is revoked is refused although another line trusts it', async () => {
    const text = `${lookupName()} ${hostKey()}@revoked * ${hostKey()}`
    const error = await errorOf(connectTo({ ...host.target, knownHostsFiles: knownHosts('revoked', text) }))
    expect(error.kind).toBe('host-key')
    expect(error.message).toContain('revoked')
  })

  test('that only an authority vouches for needs another transport', async () => {
    const text = `@cert-authority * ${hostKey()}`
    const error = await errorOf(connectTo({ ...host.target, knownHostsFiles: knownHosts('authority', text) }))
    expect(error.kind).toBe('host-key')
    expect(error.message).toContain('certificates need the OpenSSH transport, not supported yet')
  })

  test('of a type that the host does not have is named', async () => {
    runOrThrow(['ssh-keygen', '-q', '-t', 'ecdsa', '-N', '', '-f', join(host.directory, 'ecdsa')])
    const text = `${lookupName()} ${readFileSync(join(host.directory, 'ecdsa.pub'), 'utf8')}`
    const error = await errorOf(connectTo({ ...host.target, knownHostsFiles: knownHosts('ecdsa', text) }))
    expect(error.kind).toBe('host-key')
    expect(error.message).toContain('ecdsa-sha2-nistp256 at ')
  })

  test('is found by alias', async () => {
    const text = `hypervisor ${hostKey()}`
    const target = { ...host.target, hostKeyAlias: 'Hypervisor', knownHostsFiles: knownHosts('alias', text) }
    expect(await greet(target)).toBe('hello\n')
  })
})

describe('a login', () => {
  test('with a key that is not authorized fails as auth, without another attempt', async () => {
    const before = host.relay.count()
    const target = { ...host.target, identityFiles: [host.createKey('stranger')] }
    const error = await errorOf(connect(target, { shared: createShared(), retryDelaysMs: [1, 1] }))
    expect(error.kind).toBe('auth')
    expect(host.relay.count()).toBe(before + 1)
  })

  test('with too many keys says so', async () => {
    const identityFiles = [1, 2, 3, 4, 5, 6, 7].map((number) => host.createKey(`many-${number}`))
    const error = await errorOf(connectTo({ ...host.target, identityFiles }))
    expect(error.kind).toBe('auth')
    expect(error.message).toContain('Too many authentication failures')
  })

  test('without any key file says which are missing', async () => {
    const error = await errorOf(connectTo({ ...host.target, identityFiles: ['/nonexistent/key'] }))
    expect(error.kind).toBe('auth')
    expect(error.message).toContain('/nonexistent/key')
  })

  test('with an encrypted key and no agent says what to do', async () => {
    const file = join(host.directory, 'encrypted')
    runOrThrow(['ssh-keygen', '-q', '-t', 'ed25519', '-N', 'secret', '-f', file])
    const error = await errorOf(connectTo({ ...host.target, identityFiles: [file] }))
    expect(error.kind).toBe('auth')
    expect(error.message).toContain(`"${file}" is encrypted, add it to an ssh-agent`)
  })

  test('works with the key in an agent, and with the one key of many that the configuration names', async () => {
    const agent = join(host.directory, 'agent')
    const started = runOrThrow(['ssh-agent', '-s', '-a', agent])
    const pid = /SSH_AGENT_PID=(\d+)/.exec(started)?.[1] ?? ''
    try {
      const strangers = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => host.createKey(`agent-${number}`))
      const right = join(host.directory, 'client-key')
      runOrThrow(['env', `SSH_AUTH_SOCK=${agent}`, 'ssh-add', '-q', ...strangers, right])
      const missing = join(host.directory, 'named')
      writeFileSync(`${missing}.pub`, readFileSync(`${right}.pub`))
      const only = { ...host.target, agent, identityFiles: [missing], identitiesOnly: true }
      expect(await greet(only)).toBe('hello\n')
      expect((await errorOf(connectTo({ ...only, identitiesOnly: false }))).kind).toBe('auth')
    } finally {
      runOrThrow(['kill', pid])
    }
  })

  test('goes on with the key file when the agent does not answer', async () => {
    expect(await greet({ ...host.target, agent: '/nonexistent/agent' })).toBe('hello\n')
  })
})

describe('a connection', () => {
  test('to a port where nobody listens is refused, after further attempts', async () => {
    const server = await listen(() => {})
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const error = await errorOf(connect({ ...host.target, port }, { shared, retryDelaysMs: [10, 10] }))
    expect(error.kind).toBe('refused')
    expect(error.message).toBe(`hv-1: nobody listens on 127.0.0.1:${port}: check sshd and the port`)
  })

  test('that is hung up on twice succeeds at the third attempt', async () => {
    let attempts = 0
    const server = await listen((socket) => {
      socket.on('error', () => {})
      if (++attempts <= 2) socket.destroy()
      else socket.pipe(dial(host.relay.port)).pipe(socket)
    })
    const { port } = server.address() as AddressInfo
    const knownHostsFiles = knownHosts('third', `[127.0.0.1]:${port} ${hostKey()}`)
    const target = { ...host.target, port, knownHostsFiles }
    const connection = await connect(target, { shared, retryDelaysMs: [10, 10] })
    connection.close()
    server.close()
    expect(attempts).toBe(3)
  })

  test('to somebody who accepts and says nothing ends by timeout', async () => {
    const server = await listen(() => {})
    const { port } = server.address() as AddressInfo
    const error = await errorOf(connectTo({ ...host.target, port }, 300))
    server.close()
    expect(error.kind).toBe('timeout')
  })

  test('to somebody who talks without end and is no sshd ends', async () => {
    const server = await listen((socket) => {
      socket.on('error', () => {})
      const talk = () => socket.writable && socket.write('x'.repeat(65536), () => setImmediate(talk))
      talk()
    })
    const { port } = server.address() as AddressInfo
    const error = await errorOf(connectTo({ ...host.target, port }, 1000))
    server.close()
    expect(['refused', 'timeout']).toContain(error.kind)
  })

  test('to a name without an address is a matter of dns, and not tried again', async () => {
    const error = await errorOf(
      connect({ ...host.target, hostname: 'no-such-host.invalid' }, { shared, retryDelaysMs: [1] }),
    )
    expect(error.kind).toBe('dns')
  })

  test('is given up when the run is', async () => {
    const server = await listen(() => {})
    const { port } = server.address() as AddressInfo
    const stop = new AbortController()
    const connecting = connect({ ...host.target, port }, { shared, signal: stop.signal })
    setTimeout(() => stop.abort(), 50)
    await expect(connecting).rejects.toThrow(/abort/)
    server.close()
  })
})
