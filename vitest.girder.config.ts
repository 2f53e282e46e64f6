import { defineConfig } from 'vitest/config';

/** A real Girder from PyPI beside the sandbox: `npm run test:girder`, which is not part of `npm test`. */
export default defineConfig({
  test: {
    name: 'girder',
    reporters: ['verbose', './scripts/summary-reporter.mjs'],
    // scripts/test-girder.mjs sets it for --load
    include: [
      process.env['DSA_SLURM_TEST_LOAD'] === '1' ? 'tests/girder/load/*.test.ts' : 'tests/girder/*.test.ts',
    ],
    globalSetup: ['tests/support/global-setup.ts', 'tests/girder/support/site.ts'],
    fileParallelism: false,
    retry: 1,
    maxConcurrency: 8,
    testTimeout: 180_000,
    hookTimeout: 240_000,
  },
});
