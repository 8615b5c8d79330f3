import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCommand, runOrThrow } from '../../lab/namespace.ts'
import { judgeKey, knownKeys, matchesName, parseKnownHosts } from '../../src/host/known-hosts.ts'

let directory: string
let keys: readonly string[]

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'gitwall-known-hosts-'))
  keys = ['ed25519', 'ecdsa', 'rsa'].map((type) => {
    const file = join(directory, type)
    runOrThrow(['ssh-keygen', '-q', '-t', type, '-N', '', '-C', 'test', '-f', file])
    return readFileSync(`${file}.pub`, 'utf8').trim()
  })
})
afterAll(() => rmSync(directory, { recursive: true }))

const wire = (line: string) => Buffer.from(line.split(' ')[1] ?? '', 'base64')

describe('a known_hosts file', () => {
  test('is read as ssh-keygen -F reads it, whatever patterns, markers and hashes it has', () => {
    const label = fc.constantFrom(
      'a',
      'b',
      'hv',
      'hv-1',
      'HV',
      '10.0.0.1',
      '*',
      'h*',
      '*.lab',
      'h?-1',
      'hv-1.lab',
      '?',
    )
    const pattern = fc
      .tuple(fc.boolean(), label, fc.constantFrom('', ':2222', ':22'))
      .map(([negated, name, port]) => `${negated ? '!' : ''}${port === '' ? name : `[${name}]${port}`}`)
    const line = fc
      .tuple(
        fc.constantFrom('', '', '', '@revoked ', '@cert-authority ', '@unknown '),
        fc.array(pattern, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(0, 1, 2),
        fc.boolean(),
      )
      .map(([marker, patterns, key, hashed]) => ({ marker, patterns, key, hashed }))
    const names = ['a', 'hv', 'hv-1', 'hv-1.lab', '10.0.0.1', '[hv-1]:2222', '[hv]:22']
    const file = join(directory, 'random')
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1, maxLength: 8 }),
        fc.constantFrom(...names),
        (lines, name) => {
          const text = lines
            .map(({ marker, patterns, key, hashed }) => {
              const field = hashed ? hash(patterns[0] ?? '') : patterns.join(',')
              return `${marker}${field} ${keys[key]}\n`
            })
            .join('')
          writeFileSync(file, text)
          expect(matchingLines(text, name)).toEqual(linesOfKeygen(file, name))
        },
      ),
      { numRuns: 150 },
    )
  })

  test('may hold anything else, which is skipped', () => {
    const text = [
      '# comment',
      '',
      'hv ssh-ed25519',
      'hv ssh-ed25519 !!!!',
      `hv ssh-rsa ${keys[0]?.split(' ')[1]}`,
      '1024 37 12345 old',
      '@revoked',
      `|1|broken ${keys[0]}`,
      `\thv ${keys[0]}\r`,
    ].join('\n')
    expect(matchingLines(text, 'hv')).toEqual([9])
  })

  test('with a pattern full of stars costs no time', () => {
    expect(matchesName(`${'*a'.repeat(2000)}b`, 'a'.repeat(250))).toBe(false)
    expect(matchesName(`${'*a'.repeat(200)}*`, 'a'.repeat(250))).toBe(true)
  })
})

/** What is said of the host `HV` when it presents that key. */
function judge(text: string, key: number, port = 22): string {
  const known = knownKeys(parseKnownHosts(text, 'known_hosts'), { hostname: 'HV', port })
  return judgeKey(known, wire(keys[key] ?? '')).kind
}

describe('a host', () => {
  test('is known by any of its keys', () => {
    expect(judge(`hv ${keys[0]}\nhv ${keys[1]}`, 1)).toBe('known')
  })

  test('with another key than the known one changed', () => {
    expect(judge(`hv ${keys[0]}`, 1)).toBe('changed')
  })

  test('with a revoked key is refused, wherever the line stands', () => {
    expect(judge(`hv ${keys[0]}\n@revoked hv ${keys[0]}`, 0)).toBe('revoked')
    expect(judge(`@revoked hv ${keys[0]}\n[hv]:2222 ${keys[0]}`, 0, 2222)).toBe('revoked')
  })

  test('whose key was revoked for somebody else is known', () => {
    expect(judge(`hv ${keys[0]}\n@revoked other ${keys[0]}`, 0)).toBe('known')
  })

  test('at another port is known by its plain name too, but not changed by it', () => {
    expect(judge(`hv ${keys[0]}`, 0, 2222)).toBe('known')
    expect(judge(`hv ${keys[0]}`, 1, 2222)).toBe('unknown')
    expect(judge(`[hv]:2222 ${keys[0]}\nhv ${keys[1]}`, 1, 2222)).toBe('changed')
    expect(judge(`[hv]:2222 ${keys[0]}`, 0, 22)).toBe('unknown')
  })

  test('that only an authority speaks for is not known', () => {
    expect(judge(`@cert-authority hv ${keys[0]}`, 0)).toBe('certificate-only')
  })
})

function matchingLines(text: string, name: string): readonly number[] {
  return parseKnownHosts(text, 'known_hosts')
    .filter((entry) => matchesName(entry.names, name))
    .map((entry) => entry.line)
}

/** `# Host hv found: line 3 REVOKED`. */
function linesOfKeygen(file: string, name: string): readonly number[] {
  const { stdout } = runCommand(['ssh-keygen', '-F', name, '-f', file])
  return [...stdout.matchAll(/^# Host .* found: line (\d+)/gm)].map((match) => Number(match[1]))
}

/** ssh-keygen -H itself, so that the salt and its spelling are OpenSSH's. */
function hash(name: string): string {
  const file = join(directory, 'to-hash')
  if (/[*?!]/.test(name)) return name
  const known = hashes.get(name)
  if (known !== undefined) return known
  writeFileSync(file, `${name} ${keys[0]}\n`)
  runOrThrow(['ssh-keygen', '-q', '-H', '-f', file])
  const [hashed = ''] = readFileSync(file, 'utf8').split(' ')
  hashes.set(name, hashed)
  return hashed
}
const hashes = new Map<string, string>()
