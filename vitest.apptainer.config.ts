import { defineConfig } from 'vitest/config';

/** `npm run test:apptainer`: the product over a real Apptainer, which Debian has in sid only (see real-root.ts). */
export default defineConfig({
  test: {
    name: 'apptainer',
    reporters: ['default', './scripts/summary-reporter.mjs'],
    include: ['tests/apptainer/**/*.test.ts'],
    globalSetup: ['tests/apptainer/support/global-setup.ts'],
    retry: 1,
    testTimeout: 120_000,
    // a slow mirror
    hookTimeout: 600_000,
  },
});
