/** Lets at most so many run at a time for each key; the others wait in the order in which they came. */
export interface Semaphore {
  run<T>(key: string, work: () => Promise<T>): Promise<T>
}

export function createSemaphore(limit: number): Semaphore {
  const runningByKey = new Map<string, number>()
  const waitingByKey = new Map<string, (() => void)[]>()

  async function enter(key: string): Promise<void> {
    const running = runningByKey.get(key) ?? 0
    if (running < limit) {
      runningByKey.set(key, running + 1)
      return
    }
    await new Promise<void>((resolve) => {
      waitingByKey.set(key, [...(waitingByKey.get(key) ?? []), resolve])
    })
  }

  /** The place of one that leaves goes to the first that waits, without becoming free in between. */
  function leave(key: string): void {
    const [next, ...others] = waitingByKey.get(key) ?? []
    if (others.length > 0) waitingByKey.set(key, others)
    else waitingByKey.delete(key)
    if (next !== undefined) return next()
    const running = (runningByKey.get(key) ?? 1) - 1
    if (running > 0) runningByKey.set(key, running)
    else runningByKey.delete(key)
  }

  return {
    run: async (key, work) => {
      await enter(key)
      try {
        return await work()
      } finally {
        leave(key)
      }
    },
  }
}
