import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take a minute or more, mostly waiting for Slurm. */
const longest = [
  'integration/slurm/accounting.test.ts',
  'integration/worker/open/standby.test.ts',
  'integration/worker/restart.test.ts',
  'integration/worker/time-limit.test.ts',
  'integration/worker/states.test.ts',
  'integration/worker/girder-ill.test.ts',
  'integration/worker/outages.test.ts',
  'e2e/console.test.ts',
  'e2e/worker.test.ts',
  'e2e/chaos.test.ts',
  'integration/doctor/accounting.test.ts',
];

/** The longest files begin first, so that none of them is left to run alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

function rank({ project, moduleId }: TestSpecification): number {
  const index = longest.findIndex((name) => moduleId.endsWith(`/tests/${name}`));
  return project.config.sequence.groupOrder * 100 + (index === -1 ? longest.length : index);
}

/** What integration and end-to-end tests share: one pool of processes, each with a RabbitMQ and a Slurm of its own. */
const withServices = {
  // after the unit tests: what is timed against a real Slurm must not compete with them
  sequence: { groupOrder: 1 },
  globalSetup: ['tests/support/temporary-root.ts', 'tests/support/global-setup.ts'],
  // most of the time they wait
  maxWorkers: 3,
  // one module graph for each process, as below
  isolate: false,
  // A loaded machine may be too slow for a real service; the summary names what passed only then.
  retry: 1,
};

export default defineConfig({
  test: {
    reporters: ['default', './scripts/summary-reporter.mjs'],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          include: ['tests/unit/**/*.test.{ts,tsx}'],
          globalSetup: ['tests/support/temporary-root.ts'],
          // More than 200 files share one module graph for each worker: a fresh one for each file took three times as long.
          isolate: false,
          // for property tests on a machine that others use too
          testTimeout: 60_000,
        },
      },
      {
        test: {
          // Real RabbitMQ, real four-node Slurm, real Celery producer: started once by globalSetup.
          ...withServices,
          name: 'integration',
          include: ['tests/integration/**/*.test.ts'],
          // what waits for Slurm waits side by side
          maxConcurrency: 20,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          // The built program as a user starts it: child processes, pseudo terminals.
          ...withServices,
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
