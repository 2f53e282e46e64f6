import { expect } from 'vitest';

import { createRunner } from '../../../src/base/command.js';
import { installFakeApptainer, writeFakeImage } from '../../../src/sandbox/images.js';
import { isolationSuite } from '../../support/isolation-suite.js';

// tests/apptainer/isolation.test.ts runs the same tests with the real Apptainer

isolationSuite(async (dir) => {
  const run = createRunner({ env: process.env });
  const { command, isolation } = await installFakeApptainer({ dir, run, isRoot: process.getuid?.() === 0 });
  expect(isolation).toBe('namespace');
  return {
    command,
    image: async (path, config, files) =>
      writeFakeImage(path, {
        labels: {},
        config,
        files: Object.fromEntries(
          Object.entries(files).map(([name, text]) => [name, { text, executable: false }]),
        ),
      }),
    close: async () => undefined,
  };
});
