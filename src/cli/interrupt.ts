/**
 * A signal that SIGINT and SIGTERM abort: nothing new is begun, what is under way ends in order. A second one ends the process
 * at once; a host in the middle of a change then goes back by itself.
 */
export function interruptSignal(mode: 'reads' | 'writes'): AbortSignal {
  const abort = new AbortController()
  const stop = () => {
    if (abort.signal.aborted) process.exit(mode === 'writes' ? 6 : 1)
    const what =
      mode === 'writes' ? 'hosts under way are confirmed or go back' : 'hosts under way are read to the end'
    process.stderr.write(`\nreconcile: stopping: ${what}; once more to leave at once\n`)
    abort.abort(new Error('stopped by a signal'))
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return abort.signal
}
