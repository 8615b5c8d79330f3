#!/usr/bin/env node
import { CommanderError } from 'commander'
import { buildProgram } from './program.ts'

// A reader of our output that goes away must not stop us: a host may be in the middle of a change.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

let code = 0
const program = buildProgram((ended) => {
  code = ended
})
try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  code = error.exitCode === 0 ? 0 : 1
}
// All output has been written by now. Connections that are still closing must not keep us.
process.exit(code)
