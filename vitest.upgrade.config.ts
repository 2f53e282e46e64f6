import { defineConfig } from 'vitest/config';

/** `npm run test:upgrade`: older versions, built from the git history, are replaced by this one while their jobs run. */
export default defineConfig({
  test: {
    name: 'upgrade',
    reporters: ['verbose', './scripts/summary-reporter.mjs'],
    include: ['tests/upgrade/*.test.ts'],
    globalSetup: ['tests/support/global-setup.ts'],
    maxWorkers: 1,
    testTimeout: 180_000,
    // the first run installs and builds the older versions
    hookTimeout: 600_000,
  },
});
