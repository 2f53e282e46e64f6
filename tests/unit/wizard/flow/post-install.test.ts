import { expect, test } from 'vitest';

import { nextCommands } from '../../../../src/wizard/flow/post-install.js';
import { siteAnswers } from '../site.js';

test.each([
  ['slurm', 'look again, and with a job on the nodes'],
  ['local', 'look again, and with a task that goes all the way'],
] as const)('with the executor %s the last thing to do is to %s', (executor, meaning) => {
  const answers = siteAnswers({ worker: { executor, localJobs: null } });
  expect(nextCommands(answers, []).at(-1)).toEqual(['dsa-slurm doctor --deep', meaning]);
});
