import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type SshTarget, resolveTarget } from '../../src/host/ssh-config.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'gitwall-ssh-config-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

const agentBefore = process.env['SSH_AUTH_SOCK']
afterEach(() => {
  if (agentBefore === undefined) delete process.env['SSH_AUTH_SOCK']
  else process.env['SSH_AUTH_SOCK'] = agentBefore
})

const none = { become: false }

function config(text: string): { readonly configFile: string } {
  const configFile = join(directory, 'config')
  writeFileSync(configFile, text)
  return { configFile }
}

const names = (target: SshTarget) =>
  target.jumps.map(({ user, hostname, port }) => `${user}@${hostname}:${port}`)

describe('a target', () => {
  test('has what ssh would use', async () => {
    const source = config(`
      Host hv-1
        HostName 192.0.2.11
        Port 2222
        User ops
        HostKeyAlias hypervisor-1
        IdentityFile ~/.ssh/%r_%h
        IdentitiesOnly yes
        IdentityAgent /run/agent
        UserKnownHostsFile "/etc/known hosts" ~/known
        GlobalKnownHostsFile none`)
    expect(await resolveTarget('hv-1', none, source)).toEqual({
      name: 'hv-1',
      hostname: '192.0.2.11',
      port: 2222,
      user: 'ops',
      hostKeyAlias: 'hypervisor-1',
      identityFiles: [`${homedir()}/.ssh/ops_192.0.2.11`],
      identitiesOnly: true,
      agent: '/run/agent',
      knownHostsFiles: ['/etc/known hosts', `${homedir()}/known`],
      jumps: [],
      become: false,
    })
  })

  test('is what the inventory says where the inventory says something', async () => {
    const source = {
      ...config('Host *\n Port 2222\n User ops\n IdentityFile /k\n ProxyJump gate'),
      knownHostsFile: '/kh',
    }
    const connection = {
      host: '192.0.2.12',
      port: 22,
      user: 'gitwall',
      privateKeyFile: '~/mine',
      proxyJump: 'none',
      become: true,
    }
    const target = await resolveTarget('hv-1', connection, source)
    expect(target).toMatchObject({
      name: 'hv-1',
      hostname: '192.0.2.12',
      port: 22,
      user: 'gitwall',
      become: true,
      jumps: [],
    })
    expect([target.identityFiles, target.knownHostsFiles]).toEqual([[`${homedir()}/mine`], ['/kh']])
  })

  test('honours Match, as ssh does', async () => {
    const source = config('Match host hv-1 user gitwall\n Port 2200')
    expect((await resolveTarget('hv-1', { ...none, user: 'gitwall' }, source)).port).toBe(2200)
    expect((await resolveTarget('hv-1', { ...none, user: 'root' }, source)).port).toBe(22)
  })

  test.each([
    ['', '/run/env-agent'],
    ['IdentityAgent none', undefined],
    ['IdentityAgent SSH_AUTH_SOCK', '/run/env-agent'],
    ['IdentityAgent $OTHER_AGENT', '/run/other-agent'],
  ])('with "%s" has the agent %s', async (line, agent) => {
    process.env['SSH_AUTH_SOCK'] = '/run/env-agent'
    process.env['OTHER_AGENT'] = '/run/other-agent'
    expect((await resolveTarget('hv-1', none, config(`Host *\n ${line}`))).agent).toBe(agent)
  })
})

describe('jumps', () => {
  test('are passed in order, each by its own configuration', async () => {
    const source = config(
      'Host gate\n HostName 198.51.100.1\n User jump\nHost hv-1\n ProxyJump gate,ops@[2001:db8::1]:2200',
    )
    expect(names(await resolveTarget('hv-1', none, source))).toEqual([
      'jump@198.51.100.1:22',
      'ops@2001:db8::1:2200',
    ])
  })

  test('before the first jump are those of the first jump', async () => {
    const source = config('Host *\n User x\nHost inner\n ProxyJump outer')
    expect(names(await resolveTarget('hv-1', { ...none, proxyJump: 'inner' }, source))).toEqual([
      'x@outer:22',
      'x@inner:22',
    ])
  })

  test('that lead a bastion through itself are refused, as ssh does', async () => {
    const source = config('Host *\n ProxyJump gate')
    await expect(resolveTarget('hv-1', none, source)).rejects.toThrow(/jumphost loop via gate/)
  })

  test('in a circle are refused', async () => {
    const source = config('Host a\n ProxyJump b\nHost b\n ProxyJump a')
    await expect(resolveTarget('hv-1', { ...none, proxyJump: 'a' }, source)).rejects.toMatchObject({
      kind: 'tool',
    })
  })

  test.each(['a b', '-oProxyCommand=x', 'u@-x', 'a,,b', '[::1', 'a:b:c'])(
    'such as "%s" are refused',
    async (proxyJump) => {
      await expect(resolveTarget('hv-1', { ...none, proxyJump }, config(''))).rejects.toHaveProperty(
        'name',
        'HostError',
      )
    },
  )
})

describe('what cannot be honoured or trusted', () => {
  test.each(['-oProxyCommand=touch /tmp/x', '-x', 'a b', 'a;b', '$(x)', '', 'a\nb', 'a/../b'])(
    'is refused: the name %j',
    async (host) => {
      await expect(resolveTarget('hv-1', { ...none, host }, config(''))).rejects.toMatchObject({
        kind: 'dns',
      })
    },
  )

  test.each(['-l', 'a b', 'a`b`', ''])('is refused: the user %j', async (user) => {
    await expect(resolveTarget('hv-1', { ...none, user }, config(''))).rejects.toMatchObject({ kind: 'auth' })
  })

  test('is refused: a ProxyCommand', async () => {
    const source = config('Host *\n ProxyCommand nc %h %p')
    await expect(resolveTarget('hv-1', none, source)).rejects.toThrow(
      /ProxyCommand, which is not supported: use ProxyJump/,
    )
  })

  test('is said: what is wrong with the file', async () => {
    await expect(resolveTarget('hv-1', none, config('Host *\n Nonsense yes'))).rejects.toThrow(
      /Nonsense|nonsense/,
    )
  })
})
