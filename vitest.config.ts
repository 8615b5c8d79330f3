import { defineConfig } from 'vitest/config'

/** Tests that make network namespaces and run real tools in them: they need root, but no whole lab. */
const toolTests = [
  'test/host/**/*.test.ts',
  'test/kernel/*/**/*.test.ts',
  'test/cli/hosts.test.ts',
  'test/meaning/netfilter/*kernel.test.ts',
]

/** `npm test` runs all three in a network namespace of its own; without root it can run `unit` only. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/lab/**', ...toolTests],
          pool: 'threads',
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'tools',
          include: toolTests,
          pool: 'threads',
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        // A lab holds the network namespace of the run: one file at a time, after all others, so that packets have the machine.
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          globalSetup: ['test/global-setup.ts'],
          pool: 'forks',
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
