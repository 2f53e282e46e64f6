import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default', './scripts/summary-reporter.mjs'],
    // one project after the other: what is timed against a real Slurm must not compete with unit tests
    projects: [
      {
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          include: ['tests/unit/**/*.test.{ts,tsx}'],
          // 183 files share one module graph for each worker: a fresh one for each file took three times as long.
          isolate: false,
          // for property tests on a machine that others use too
          testTimeout: 60_000,
        },
      },
      {
        test: {
          // Real RabbitMQ, real four-node Slurm, real Celery producer: started once by globalSetup.
          name: 'integration',
          sequence: { groupOrder: 1 },
          include: ['tests/integration/**/*.test.ts'],
          globalSetup: ['tests/support/global-setup.ts'],
          // each with a RabbitMQ and a Slurm of its own: most of the time they wait
          maxWorkers: 2,
          // A loaded machine may be too slow for a real service; the summary names what passed only then.
          retry: 1,
          // what waits for Slurm waits side by side
          maxConcurrency: 20,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          // The built program as a user starts it: child processes, pseudo terminals.
          name: 'e2e',
          sequence: { groupOrder: 2 },
          include: ['tests/e2e/**/*.test.ts'],
          globalSetup: ['tests/support/global-setup.ts'],
          fileParallelism: false,
          retry: 1,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
