import { defineConfig } from 'vitest/config';

/** A real Girder from PyPI beside the practice site: `npm run test:girder`, which is no part of `npm test`. */
export default defineConfig({
  test: {
    name: 'girder',
    reporters: ['verbose', './scripts/summary-reporter.mjs'],
    include: ['tests/girder/**/*.test.ts'],
    globalSetup: ['tests/support/practice-site.ts', 'tests/girder/support/site.ts'],
    fileParallelism: false,
    maxConcurrency: 8,
    testTimeout: 180_000,
    hookTimeout: 240_000,
  },
});
