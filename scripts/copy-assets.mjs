// What tsc leaves behind: the shell scripts that run on a host are files beside their modules. Runs after tsc.
import { cpSync } from 'node:fs'

const root = new URL('..', import.meta.url)
cpSync(new URL('src', root), new URL('dist', root), {
  recursive: true,
  filter: (path) => !/\.[^/]+$/.test(path) || path.endsWith('.sh'),
})
