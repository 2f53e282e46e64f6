import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that wait for Slurm for minutes: they begin first, beside the unit tests, which need the processor. */
const waiting = [
  'integration/slurm/accounting.test.ts',
  'integration/worker/restart.test.ts',
  'integration/worker/girder-ill.test.ts',
];

/** Other files of a minute or more: they come before shorter ones, so that none of them is left to run alone at the end. */
const long = [
  'integration/worker/open/standby.test.ts',
  'integration/worker/time-limit.test.ts',
  'e2e/console.test.ts',
  'e2e/install.test.ts',
  'e2e/sandbox.test.ts',
  'e2e/worker.test.ts',
  'integration/doctor/accounting.test.ts',
  'integration/worker/outages.test.ts',
  'integration/worker/states.test.ts',
  'e2e/chaos.test.ts',
];

const projects = ['unit', 'e2e', 'integration'];

/** What waits, the unit tests, what is long, and the rest; a project stays together, because its files share their modules. */
class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

function rank({ project, moduleId }: TestSpecification): number {
  const isIn = (names: string[]): number => names.findIndex((name) => moduleId.endsWith(`/tests/${name}`));
  if (isIn(waiting) !== -1) return isIn(waiting) - 200;
  if (project.name === 'unit') return -100;
  if (isIn(long) !== -1) return isIn(long) - long.length;
  return projects.indexOf(project.name);
}

/** One module graph for each process: a fresh one for each file took three times as long. */
const isolate = false;

/**
 * What integration and end-to-end tests share: one pool of processes, each with a RabbitMQ and a Slurm of its own. The unit
 * tests use the same pool, since they need a processor while these wait.
 */
const withServices = {
  globalSetup: ['tests/support/temporary-root.ts', 'tests/support/global-setup.ts'],
  isolate,
  // A loaded machine may be too slow for a real service; the summary names what passed only then.
  retry: 1,
};

export default defineConfig({
  test: {
    reporters: ['default', './scripts/summary-reporter.mjs'],
    sequence: { sequencer: WaitingFirst },
    // more than processors, because tests of services wait most of the time: four kept two processors busy for 61 % of it
    maxWorkers: 5,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['tests/unit/**/*.test.{ts,tsx}'],
          globalSetup: ['tests/support/temporary-root.ts'],
          isolate,
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
