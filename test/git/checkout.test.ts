import { execFileSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readCommit } from '../../src/git/checkout.ts'
import { suggest } from '../../src/repo/suggest.ts'
import { readWorktree } from '../../src/git/worktree.ts'

const paths = ['inventory', 'policies']
let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gitwall-git-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function git(...args: string[]): string {
  const identity = [
    '-c',
    'user.name=t',
    '-c',
    'user.email=t@example.org',
    '-c',
    'init.defaultBranch=main',
    '-c',
    'commit.gpgsign=false',
  ]
  return execFileSync('git', [...identity, ...args], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim()
}

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), content)
}

function commitAll(message: string): string {
  git('add', '-A')
  git('commit', '-q', '--allow-empty', '-m', message)
  return git('rev-parse', 'HEAD')
}

function read(ref = 'HEAD', directory = root): ReturnType<typeof readCommit> {
  return readCommit({ directory, ref, paths, suggest })
}

describe('a commit', () => {
  let first: string
  beforeEach(() => {
    git('init', '-q')
    write('inventory/hosts.yaml', 'all: {}\n')
    write('policies/web.yaml', 'sets: {}\n# ünïcode\n')
    write('README.md', 'not ours')
    first = commitAll('first')
  })

  test('is read whole, only the folders that were asked for', async () => {
    const result = await read()
    expect(result.commit).toBe(first)
    expect([...result.files]).toEqual([
      ['inventory/hosts.yaml', 'all: {}\n'],
      ['policies/web.yaml', 'sets: {}\n# ünïcode\n'],
    ])
    expect(result.dirty).toBe(false)
    expect(result.leftOut).toEqual([])
  })

  test('is read at any ref without touching the work tree', async () => {
    write('policies/web.yaml', 'second')
    commitAll('second')
    git('tag', '-a', '-m', 'annotated', 'v1', first)
    for (const ref of ['HEAD~1', 'v1', first, first.slice(0, 10)]) {
      const result = await read(ref)
      expect(result.commit).toBe(first)
      expect(result.files.get('policies/web.yaml')).toBe('sets: {}\n# ünïcode\n')
      expect(result.dirty).toBe(false)
    }
    expect(git('status', '--porcelain')).toBe('')
  })

  test('is read from a bare repository', async () => {
    git('clone', '-q', '--bare', '.', 'bare.git')
    const result = await read('main', join(root, 'bare.git'))
    expect(result.commit).toBe(first)
    expect(result.files.size).toBe(2)
    expect(result.dirty).toBe(false)
  })

  test('is read from a linked work tree, where `.git` is a file', async () => {
    git('worktree', 'add', '-q', 'linked', first)
    expect((await read('HEAD', join(root, 'linked'))).commit).toBe(first)
  })

  test('is read relative to a subdirectory', async () => {
    write('fleet/policies/a.yaml', 'a')
    commitAll('monorepo')
    const { files } = await read('HEAD', join(root, 'fleet'))
    expect([...files.keys()]).toEqual(['policies/a.yaml'])
  })

  test('with empty files, and files without a final newline, keeps their bytes', async () => {
    write('policies/a.yaml', '')
    write('policies/b.yaml', 'x')
    write('policies/c.yaml', '\n\n')
    commitAll('sizes')
    const { files } = await read()
    expect(files.get('policies/a.yaml')).toBe('')
    expect(files.get('policies/b.yaml')).toBe('x')
    expect(files.get('policies/c.yaml')).toBe('\n\n')
  })

  test('with odd file names is read', async () => {
    const odd = [
      'policies/a b.yaml',
      'policies/quote".yaml',
      'policies/new\nline.yaml',
      'policies/tab\t.yaml',
      'policies/-x.yaml',
      'policies/ü.yaml',
    ]
    for (const path of odd) write(path, path)
    commitAll('odd')
    const { files } = await read()
    for (const path of odd) expect(files.get(path)).toBe(path)
  })

  test('leaves out symbolic links and submodules, and says so', async () => {
    symlinkSync('/etc/passwd', join(root, 'policies/link.yaml'))
    git('add', '-A')
    git('update-index', '--add', '--cacheinfo', `160000,${first},inventory/module`)
    git('commit', '-q', '-m', 'links')
    const { files, leftOut, dirty } = await read()
    expect([...files.keys()]).toEqual(['inventory/hosts.yaml', 'policies/web.yaml'])
    expect(leftOut.map(({ path, what }) => [path, what])).toEqual([
      ['inventory/module', 'submodule'],
      ['policies/link.yaml', 'symbolic link'],
    ])
    expect(dirty).toBe(false)
  })

  test('ignores replaced objects: a hash means what it says', async () => {
    write('policies/web.yaml', 'evil')
    const other = commitAll('other')
    git('replace', first, other)
    expect((await read(first)).files.get('policies/web.yaml')).toBe('sets: {}\n# ünïcode\n')
  })

  test('is refused when a file is not UTF-8', async () => {
    write('policies/latin.yaml', Buffer.from([0x61, 0xe9, 0x62]))
    commitAll('latin')
    await expect(read()).rejects.toThrow('policies/latin.yaml: not UTF-8 text')
  })

  test('is refused when a file is larger than 8 MiB, before it is read', async () => {
    write('policies/huge.yaml', Buffer.alloc(8 * 1024 * 1024 + 1, 'a'))
    commitAll('huge')
    await expect(read()).rejects.toThrow('policies/huge.yaml: 8388609 bytes: at most 8388608')
  })

  test('is refused when there are more than 10,000 files', async () => {
    const blob = git('hash-object', '-w', 'README.md')
    const index = Array.from({ length: 10_001 }, (_, n) => `100644 ${blob}\tpolicies/f${n}.yaml\n`).join('')
    execFileSync('git', ['update-index', '--index-info'], { cwd: root, input: index })
    git('commit', '-q', '-m', 'many')
    await expect(read()).rejects.toThrow('10003 files: at most 10000')
  })

  test('of another owner is read, since the user named this directory', async () => {
    chownSync(root, 12345, 12345)
    chownSync(join(root, '.git'), 12345, 12345)
    expect(() => git('status')).toThrow(/dubious ownership/)
    expect((await read()).commit).toBe(first)
  })

  test('is read without running what the repository configures', async () => {
    for (const key of [
      'core.fsmonitor',
      'filter.x.clean',
      'filter.x.smudge',
      'diff.external',
      'core.pager',
    ]) {
      git('config', key, `touch ${join(root, 'ran')}; cat`)
    }
    write('.gitattributes', '* filter=x\n')
    write('policies/web.yaml', 'changed')
    expect((await read()).dirty).toBe(true)
    expect(existsSync(join(root, 'ran'))).toBe(false)
  })

  test('is read whatever GIT_ variables the caller has', async () => {
    process.env['GIT_DIR'] = '/nonexistent'
    process.env['GIT_INDEX_FILE'] = '/nonexistent'
    try {
      expect((await read()).commit).toBe(first)
    } finally {
      delete process.env['GIT_DIR']
      delete process.env['GIT_INDEX_FILE']
    }
  })
})

describe('uncommitted changes are noticed:', () => {
  beforeEach(() => {
    git('init', '-q')
    write('policies/web.yaml', 'a')
    write('.gitignore', '*.bak\n')
    commitAll('first')
  })

  const cases: [string, () => void, boolean][] = [
    ['an edited file', () => write('policies/web.yaml', 'b'), true],
    ['a staged edit', () => (write('policies/web.yaml', 'b'), git('add', '-A')), true],
    ['a deleted file', () => rmSync(join(root, 'policies/web.yaml')), true],
    ['a file that was never added', () => write('policies/new.yaml', 'b'), true],
    ['not an ignored file', () => write('policies/web.bak', 'b'), false],
    ['not an editor’s swap file', () => write('policies/.web.yaml.swp', 'b'), false],
    ['not a file elsewhere', () => write('README', 'b'), false],
  ]
  test.each(cases)('%s', async (_, change, dirty) => {
    change()
    expect((await read()).dirty).toBe(dirty)
    expect((await read()).files.get('policies/web.yaml')).toBe('a')
  })
})

describe('a ref', () => {
  beforeEach(() => {
    git('init', '-q')
    write('policies/web.yaml', 'a')
    commitAll('first')
  })

  test('that looks like an option is only ever a name', async () => {
    const before = readdirSync(root)
    for (const ref of [
      '--output=written',
      '--upload-pack=touch written',
      '-h',
      '--all',
      '--git-dir',
      '--',
      '-',
      '--exec=x',
    ]) {
      await expect(read(ref)).rejects.toThrow(/no commit/)
    }
    expect(readdirSync(root)).toEqual(before)
  })

  test('that looks like an option and exists is found', async () => {
    const commit = git('rev-parse', 'HEAD')
    git('update-ref', 'refs/heads/--output=x', commit)
    expect((await read('--output=x')).commit).toBe(commit)
    expect(existsSync(join(root, 'x'))).toBe(false)
  })

  test.each(['', 'a\nb', 'a\0b', 'HEAD..HEAD', 'HEAD:policies/web.yaml', ':/x\u001b[2J'])(
    '%j is refused',
    async (ref) => {
      const failure = await read(ref).catch((error: unknown) => error)
      expect(failure).toHaveProperty('name', 'GitError')
      expect((failure as Error).message).not.toMatch(/\p{Cc}/u)
    },
  )

  test('that is misspelt brings the nearest branch', async () => {
    git('branch', 'release-2')
    await expect(read('relaese-2')).rejects.toThrow('no commit "relaese-2": did you mean "release-2"?')
  })

  test('that is unknown brings the known ones', async () => {
    git('branch', 'release-2')
    await expect(read('nothing-like-it')).rejects.toThrow(
      'no commit "nothing-like-it": known: main, release-2',
    )
  })

  test('beyond a shallow clone says how to deepen it', async () => {
    commitAll('second')
    git('clone', '-q', '--depth', '1', `file://${root}`, 'shallow')
    await expect(read('HEAD~1', join(root, 'shallow'))).rejects.toThrow(
      'the clone is shallow: run "git fetch --unshallow"',
    )
  })

  test('in a partial clone does not fetch behind our back', async () => {
    git('config', 'uploadpack.allowFilter', 'true')
    git('clone', '-q', '--bare', '--filter=blob:none', `file://${root}`, 'partial')
    await expect(read('main', join(root, 'partial'))).rejects.toThrow(/partial clone/)
  })
})

describe('what is no repository is refused:', () => {
  test('a plain directory', async () => {
    await expect(read()).rejects.toThrow(`${root}: not in a Git repository: name one with -C DIR`)
  })
  test('a directory that does not exist', async () => {
    await expect(read('HEAD', join(root, 'nowhere'))).rejects.toThrow('nowhere: no such directory')
  })
  test('a repository without a commit', async () => {
    git('init', '-q')
    await expect(read()).rejects.toThrow('no commit yet: commit the files')
  })
  test('a damaged repository', async () => {
    git('init', '-q')
    write('policies/web.yaml', 'a')
    commitAll('first')
    rmSync(join(root, '.git/objects'), { recursive: true })
    await expect(read()).rejects.toHaveProperty('name', 'GitError')
  })
})

describe('the files on disk', () => {
  test('are read as they are, without Git', async () => {
    write('policies/b.yaml', 'b')
    write('policies/deep/a.yaml', 'a')
    write('policies/.hidden', 'x')
    write('policies/old.yaml~', 'x')
    write('elsewhere.yaml', 'x')
    const { files, leftOut } = await readWorktree(root, paths)
    expect([...files]).toEqual([
      ['policies/b.yaml', 'b'],
      ['policies/deep/a.yaml', 'a'],
    ])
    expect(leftOut).toEqual([])
  })

  test('are never read through a link, to a file, a folder, or as a folder itself', async () => {
    write('secret/key.yaml', 'secret')
    write('policies/a.yaml', 'a')
    symlinkSync('../secret/key.yaml', join(root, 'policies/file.yaml'))
    symlinkSync('../secret', join(root, 'policies/folder'))
    symlinkSync('secret', join(root, 'inventory'))
    const { files, leftOut } = await readWorktree(root, paths)
    expect([...files.keys()]).toEqual(['policies/a.yaml'])
    expect(leftOut.map(({ path }) => path)).toEqual(['inventory', 'policies/file.yaml', 'policies/folder'])
  })

  test('may be odd without harm: a FIFO is left out, not waited for', async () => {
    write('policies/a.yaml', 'a')
    execFileSync('mkfifo', [join(root, 'policies/fifo')])
    const { files, leftOut } = await readWorktree(root, paths)
    expect([...files.keys()]).toEqual(['policies/a.yaml'])
    expect(leftOut).toEqual([{ path: 'policies/fifo', what: 'special file' }])
  })

  test('are refused when one is too large', async () => {
    write('policies/huge.yaml', Buffer.alloc(8 * 1024 * 1024 + 1, 'a'))
    await expect(readWorktree(root, paths)).rejects.toThrow('policies/huge.yaml: 8388609 bytes')
  })

  test('are nothing in an empty directory', async () => {
    expect((await readWorktree(root, paths)).files.size).toBe(0)
  })
})
