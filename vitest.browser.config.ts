import { defineConfig } from 'vitest/config';

/** The web page of a real Girder in a real browser: `npm run test:browser`, which is not part of `npm test`. */
export default defineConfig({
  test: {
    name: 'browser',
    reporters: ['verbose', './scripts/summary-reporter.mjs'],
    include: ['tests/browser/*.test.ts'],
    fileParallelism: false,
    retry: 1,
  },
});
