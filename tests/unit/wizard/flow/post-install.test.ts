import { expect, test } from 'vitest';

import { nextCommands } from '../../../../src/wizard/flow/post-install.js';
import { siteAnswers } from '../site.js';

test.each([
  ['slurm', 'check again, with a test job on the nodes'],
  ['local', 'check again, with a test task'],
] as const)('with the executor %s the last command is to %s', (executor, meaning) => {
  const answers = siteAnswers({ worker: { executor, localJobs: null } });
  expect(nextCommands(answers, []).at(-1)).toEqual(['dsa-slurm doctor --deep', meaning]);
});
