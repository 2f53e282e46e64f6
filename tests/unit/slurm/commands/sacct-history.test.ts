import { expect, test } from 'vitest';

import { accountedHistory } from '../../../../src/slurm/commands/sacct.js';
import { failed, fakeRun, printed, timedOut } from '../fake-run.js';

const question = { uid: 1_234, since: 0 };

test('asks for the jobs of one user without their steps, and lists the latest first', async () => {
  let asked: readonly string[] = [];
  const { run } = fakeRun(({ args }) => {
    asked = args;
    const delimiter = args.find((one) => one.startsWith('--delimiter='))?.slice('--delimiter='.length) ?? '';
    const line = (...fields: string[]): string => `${fields.join(delimiter)}\n`;
    return printed(
      line('41', 'CANCELLED by 1234', '0:0', '1796086100', 'Unknown', '1796086160', 'a|b') +
        line('42_3', 'COMPLETED', '0:0', '1796086200', '1796086210', '1796086260', 'align'),
    );
  });
  const answer = await accountedHistory(run, question);
  expect(asked).toContain('--user=1234');
  expect(asked).toContain('--allocations');
  expect(answer).toMatchObject({
    kind: 'jobs',
    jobs: [
      {
        id: '42_3',
        name: 'align',
        state: { base: 'COMPLETED' },
        startedAt: 1_796_086_210_000,
        endedAt: 1_796_086_260_000,
      },
      { id: '41', name: 'a|b', state: { base: 'CANCELLED' }, startedAt: null, endedAt: 1_796_086_160_000 },
    ],
  });
});

test.each([
  [printed(''), { kind: 'jobs', jobs: [] }],
  [printed('what?\n'), { kind: 'silence' }],
  [timedOut, { kind: 'silence' }],
  [failed('Slurm accounting storage is disabled\n'), { kind: 'no-accounting' }],
])('distinguishes an empty day, silence and a site without accounting: %#', async (result, expected) => {
  expect(await accountedHistory(fakeRun(() => result).run, question)).toMatchObject(expected);
});
