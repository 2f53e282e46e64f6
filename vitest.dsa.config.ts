import { defineConfig } from 'vitest/config';

/** A real Girder with slides and annotations, and HistomicsTK: `npm run test:dsa`, which is not part of `npm test`. */
export default defineConfig({
  test: {
    name: 'dsa',
    reporters: ['verbose', './scripts/summary-reporter.mjs'],
    include: ['tests/dsa/*.test.ts'],
    globalSetup: ['tests/support/global-setup.ts', 'tests/dsa/support/site.ts'],
    fileParallelism: false,
    retry: 1,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
