import { isolationSuite } from '../support/isolation-suite.js';
import { openBench } from './support/bench.js';
import { buildSif } from './support/oci.js';

// tests/integration/sandbox/isolation.test.ts runs the same tests with the fake

isolationSuite(async (_dir, home) => {
  const bench = await openBench({ home });
  return {
    command: bench.apptainer,
    image: async (path, config, files) => {
      await buildSif(bench, { config, files }, path);
    },
    close: async () => bench.close(),
  };
});
