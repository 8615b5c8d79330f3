import { readFile } from 'node:fs/promises'
import ssh2, { type AnyAuthMethod, type OpenSSHAgent, type ParsedKey } from 'ssh2'
import { HostError } from './error.ts'
import type { SshTarget } from './ssh-config.ts'

/** The ways to log in that are to be tried, in order, and remarks for the case that none is accepted. */
export interface Identities {
  readonly methods: readonly AnyAuthMethod[]
  readonly remarks: readonly string[]
}

/**
 * Agent first, then key files, as ssh(1) does; public keys only. Throws `HostError` of kind `auth` when there is nothing to try.
 * OpenSSH certificates and FIDO keys are not offered: ssh2 1.17 cannot (mscdex/ssh2 #551, #1206).
 */
export async function findIdentities(target: SshTarget): Promise<Identities> {
  const files = await Promise.all(target.identityFiles.map(readIdentity))
  const remarks = files.flatMap((file) => file.remark ?? [])
  const methods: AnyAuthMethod[] = []
  if (target.agent !== undefined) {
    const agent = target.identitiesOnly
      ? await limitedAgent(target.agent, target.identityFiles)
      : target.agent
    methods.push({ type: 'agent', username: target.user, agent })
  }
  for (const { key } of files) {
    if (key !== undefined) methods.push({ type: 'publickey', username: target.user, key })
  }
  if (methods.length === 0) {
    const reasons =
      remarks.length > 0 ? remarks.join('; ') : `none of ${target.identityFiles.join(', ')} exists`
    throw new HostError(
      'auth',
      target.name,
      `no key to log in with: ${reasons}: start an ssh-agent or name a key file`,
    )
  }
  return { methods, remarks }
}

interface IdentityFile {
  readonly key?: Buffer
  readonly remark?: string
}

/** A file that is not there is normal: ssh's defaults name seven. */
async function readIdentity(path: string): Promise<IdentityFile> {
  let key: Buffer
  try {
    key = await readFile(path)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? {} : { remark: `"${path}" cannot be read` }
  }
  const parsed: ParsedKey | Error = ssh2.utils.parseKey(key)
  if (!(parsed instanceof Error))
    return parsed.isPrivateKey() ? { key } : { remark: `"${path}" is not a private key` }
  return /encrypted/i.test(parsed.message)
    ? { remark: `"${path}" is encrypted, add it to an ssh-agent` }
    : { remark: `"${path}" is of a type that is not supported` }
}

/** ssh_config(5), IdentitiesOnly: of the agent's keys only those whose public half lies beside an identity file. */
async function limitedAgent(socket: string, identityFiles: readonly string[]): Promise<OpenSSHAgent> {
  const wanted = await Promise.all(identityFiles.map((file) => publicKeyBeside(file)))
  const agent = new ssh2.OpenSSHAgent(socket)
  const getIdentities = agent.getIdentities.bind(agent)
  agent.getIdentities = (callback) =>
    getIdentities((error, keys) => {
      const allowed = keys?.filter(
        (key) => 'getPublicSSH' in key && wanted.some((one) => one?.equals(key.getPublicSSH())),
      )
      callback(error, allowed)
    })
  return agent
}

async function publicKeyBeside(identityFile: string): Promise<Buffer | undefined> {
  try {
    const parsed: ParsedKey | Error = ssh2.utils.parseKey(await readFile(`${identityFile}.pub`))
    return parsed instanceof Error ? undefined : parsed.getPublicSSH()
  } catch {
    return undefined
  }
}
