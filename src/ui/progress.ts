import { Listr } from 'listr2'
import { type Progress, type ProgressStyle, startProgress } from './screen.ts'

/** One host's work. `report` says what it is at: a few words, shown as they are after `escape`. */
export interface Task<T> {
  readonly title: string
  readonly run: (report: (text: string) => void) => Promise<T>
}

export interface TaskOptions extends ProgressStyle {
  /** Tasks under way at the same time. */
  readonly concurrency: number
}

/**
 * Runs all tasks and answers how each ended, in their order. One that rejects does not stop the others. Never rejects for what a
 * task does. The progress is gone from the terminal when it resolves.
 */
export async function runTasks<T>(
  tasks: readonly Task<T>[],
  options: TaskOptions,
): Promise<readonly PromiseSettledResult<T>[]> {
  const results: PromiseSettledResult<T>[] = []
  const progress = startProgress(tasks.length, options)
  const list = new Listr(
    tasks.map((task, index) => ({
      title: task.title,
      task: async () => {
        results[index] = await settle(task, progress)
      },
    })),
    {
      concurrent: options.concurrency,
      exitOnError: false,
      // listr2 draws nothing: its own renderer stops the event loop for seconds at a hundred tasks, and SSH keepalives with it.
      renderer: 'silent',
      // Its handler of SIGINT ends the process at once, before anything is confirmed or reverted.
      registerSignalListeners: false,
    },
  )
  try {
    await list.run()
  } finally {
    progress.stop()
  }
  return results
}

async function settle<T>(task: Task<T>, progress: Progress): Promise<PromiseSettledResult<T>> {
  try {
    progress.start(task.title)
    const value = await task.run((text) => progress.report(task.title, text))
    progress.end(task.title, 'done')
    return { status: 'fulfilled', value }
  } catch (reason) {
    progress.end(task.title, 'failed')
    return { status: 'rejected', reason }
  }
}
