import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The test of outages takes as long as all others together. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => Number(isLongest(b)) - Number(isLongest(a)));
  }
}

function isLongest({ moduleId }: TestSpecification): boolean {
  return moduleId.endsWith('/outages.test.ts');
}

const isLoad = process.env['DSA_SLURM_TEST_LOAD'] === '1';

/** A real Girder from PyPI beside the sandbox: `npm run test:girder`, which is not part of `npm test`. */
export default defineConfig({
  test: {
    name: 'girder',
    reporters: ['verbose', './scripts/summary-reporter.mjs'],
    // scripts/test-girder.mjs sets it for --load
    include: [isLoad ? 'tests/girder/load/*.test.ts' : 'tests/girder/*.test.ts'],
    globalSetup: ['tests/support/global-setup.ts', 'tests/girder/support/site.ts'],
    // each process has a site and a Girder of its own: most of the time, tests wait for the outage of one
    maxWorkers: isLoad ? 1 : 2,
    sequence: { sequencer: LongestFirst },
    retry: 1,
    maxConcurrency: 8,
    testTimeout: 180_000,
    hookTimeout: 240_000,
  },
});
