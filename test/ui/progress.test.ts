import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { runTasks, type Task, type TaskOptions } from '../../src/ui/progress.ts'

interface Tape {
  text: string
  readonly columns: number
  write(text: string): void
}

function tape(columns = 80): Tape {
  return {
    text: '',
    columns,
    write(text) {
      this.text += text
    },
  }
}

function options(stream: Tape, fields: Partial<TaskOptions> = {}): TaskOptions {
  return { concurrency: 4, mode: 'lines', stream, color: false, ...fields }
}

function tasks(count: number, run: Task<number>['run'] = () => Promise.resolve(1)): readonly Task<number>[] {
  return Array.from({ length: count }, (_, n) => ({ title: `hv-${n}`, run }))
}

async function slowRead(report: (text: string) => void): Promise<number> {
  report('reading')
  return await sleep(250, 1)
}

async function hostileRead(report: (text: string) => void): Promise<number> {
  report('\u001b[2J規規規規規規規規規規規規規規規\n')
  return await sleep(150, 1)
}

async function fourSteps(report: (text: string) => void): Promise<number> {
  for (const step of ['connecting', 'reading', 'planning', 'done']) {
    report(step)
    await sleep(5)
  }
  return 1
}

describe('tasks', () => {
  test('answer in their order, whatever order they end in', async () => {
    const list = [30, 10, 20].map((ms, n) => ({ title: `${n}`, run: () => sleep(ms, n) }))
    const results = await runTasks(list, options(tape()))
    expect(results).toEqual([0, 1, 2].map((value) => ({ status: 'fulfilled', value })))
  })

  test('go on when one fails', async () => {
    const failure = new Error('no route')
    const list = [
      ...tasks(2),
      { title: 'bad', run: () => Promise.reject(failure) },
      { title: 'after', run: () => Promise.resolve(2) },
    ]
    const results = await runTasks(list, options(tape(), { concurrency: 1 }))
    expect(results.map((result) => result.status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    expect(results[2]).toHaveProperty('reason', failure)
  })

  test('go on when one throws before it is a promise', async () => {
    const list = [
      {
        title: 'bad',
        run: () => {
          throw new Error('bug')
        },
      },
      ...tasks(1),
    ]
    const results = await runTasks<number>(list, options(tape()))
    expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled'])
  })

  test('are never more at a time than allowed', async () => {
    let now = 0
    let most = 0
    const run = async () => {
      most = Math.max(most, ++now)
      await sleep(2)
      return --now
    }
    await runTasks(tasks(40, run), options(tape(), { concurrency: 7 }))
    expect(most).toBe(7)
  })

  test('may be none', async () => {
    expect(await runTasks([], options(tape()))).toEqual([])
  })

  test('leave no signal handlers behind', async () => {
    let during = -1
    const before = process.listenerCount('SIGINT')
    await runTasks(
      tasks(1, () => Promise.resolve((during = process.listenerCount('SIGINT')))),
      options(tape()),
    )
    expect([during, process.listenerCount('SIGINT')]).toEqual([before, before])
  })
})

describe('progress', () => {
  test('in a log is one line per task, with what it was at', async () => {
    const stream = tape()
    const list: Task<number>[] = [
      { title: 'hv-1', run: (report) => (report('reading'), report('3 changes'), Promise.resolve(1)) },
      { title: 'hv-2', run: (report) => (report('connecting'), Promise.reject(new Error('x'))) },
    ]
    await runTasks(list, options(stream, { concurrency: 1 }))
    expect(stream.text).toBe('[1/2] hv-1: done: 3 changes\n[2/2] hv-2: failed: connecting\n')
  })

  test('is nothing when it is not wanted', async () => {
    const stream = tape()
    await runTasks(tasks(3), options(stream, { mode: 'none' }))
    expect(stream.text).toBe('')
  })

  test('on a terminal shows counts and at most 12 hosts, and takes itself away', async () => {
    const stream = tape()
    await runTasks(tasks(40, slowRead), options(stream, { mode: 'live', concurrency: 20 }))
    const [, first = ''] = stream.text.split('\u001b[J')
    const rows = first.split('\n')
    expect(rows[0]).toBe('0 of 40 done, 20 running, 20 waiting')
    expect(rows[1]).toBe('  hv-0: reading')
    expect(rows.filter((row) => row.includes('hv-'))).toHaveLength(12)
    expect(stream.text.endsWith('\u001b[13A\r\u001b[J')).toBe(true)
  })

  test('never lets a line wrap, and shows hostile text harmless', async () => {
    const stream = tape(30)
    await runTasks(tasks(1, hostileRead), options(stream, { mode: 'live' }))
    expect(stream.text).toContain('\n  hv-0: \\u{1b}[2J規規規規規規…\n')
    expect(stream.text).not.toContain('\u001b[2J')
  })

  test('of 1,000 tasks never stops the event loop for 50 ms', async () => {
    const stream = tape(160)
    // The best of three: the machine is shared, and a renderer that blocks does so every time.
    const blocks: number[] = []
    for (let attempt = 0; attempt < 3 && Math.min(...blocks) >= 50; attempt++) {
      const delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()
      await runTasks(tasks(1000, fourSteps), options(stream, { mode: 'live', concurrency: 64 }))
      delay.disable()
      blocks.push(delay.max / 1e6)
    }
    expect(Math.min(...blocks)).toBeLessThan(50)
    expect(stream.text).toContain('of 1000 done')
  })
})
