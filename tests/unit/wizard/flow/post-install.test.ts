import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';

import { closingLine, nextCommands } from '../../../../src/wizard/flow/post-install.js';
import { siteAnswers } from '../site.js';

test.each([
  ['slurm', 'check again, with a test job on the nodes'],
  ['local', 'check again, with a test task'],
] as const)('with the executor %s the last command is to %s', (executor, meaning) => {
  const answers = siteAnswers({ worker: { executor, localJobs: null } });
  expect(nextCommands(answers, []).at(-1)).toEqual(['dsa-slurm doctor --deep', meaning]);
});

test.each([
  [[], 'service', /Analyses submitted in Girder run on Slurm now\. Next: dsa-slurm console$/],
  [[], 'running', /the running worker uses it after a restart\. Next: dsa-slurm console$/],
  [[], null, /The configuration works\. Next: start it$/],
  [['fail'], 'service', /One check failed: .* Next: dsa-slurm doctor$/],
] as const)(
  'after checks %j and worker %s, the last line has what works and one command',
  (statuses, started, text) => {
    const answers = siteAnswers({ profile: 'default' });
    const results = statuses.map((status) => ({
      id: 'x',
      group: 'host' as const,
      title: 'x',
      status,
      evidence: [],
      fix: null,
      ms: 0,
    }));
    const line = closingLine({ answers, results, started, commands: [['start it', '']] });
    expect(stripVTControlCharacters(line)).toMatch(text);
  },
);
