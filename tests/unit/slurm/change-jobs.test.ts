import { describe, expect, test } from 'vitest';

import { changeCommand, changeJobs, type JobChange } from '../../../src/slurm/change-jobs.js';
import { failed, fakeRun, said } from './fake-run.js';

describe('changeCommand', () => {
  test.each<[JobChange, string]>([
    [{ kind: 'signal', signal: 'TERM' }, 'scancel --signal=TERM --full 1 2_3'],
    [{ kind: 'hold' }, 'scontrol hold 1,2_3'],
    [{ kind: 'release' }, 'scontrol release 1,2_3'],
    [{ kind: 'requeue' }, 'scontrol requeue 1,2_3'],
    [{ kind: 'timeLimit', limit: '1-12' }, 'scontrol update JobId=1,2_3 TimeLimit=1-12'],
    [{ kind: 'timeLimit', limit: '+30' }, 'scontrol update JobId=1,2_3 TimeLimit=+30'],
    [{ kind: 'timeLimit', limit: 'unlimited' }, 'scontrol update JobId=1,2_3 TimeLimit=unlimited'],
    [{ kind: 'priority', priority: 12 }, 'scontrol update JobId=1,2_3 Priority=12'],
    [{ kind: 'nice', nice: -5 }, 'scontrol update JobId=1,2_3 Nice=-5'],
  ])('%o is %s', (change, line) => {
    const { file, args } = changeCommand(change, ['1', '2_3']);
    expect([file, ...args].join(' ')).toBe(line);
  });

  test.each<JobChange>([
    { kind: 'timeLimit', limit: '' },
    { kind: 'timeLimit', limit: '10 Priority=9' },
    { kind: 'timeLimit', limit: '10\nPriority=9' },
    { kind: 'timeLimit', limit: '1:99' },
    { kind: 'timeLimit', limit: 'soon' },
    { kind: 'priority', priority: 1.5 },
    { kind: 'priority', priority: -1 },
    { kind: 'nice', nice: Number.NaN },
    { kind: 'nice', nice: 1e12 },
    { kind: 'signal', signal: 'SEGV' as 'TERM' },
  ])('refuses %o', (change) => {
    expect(() => changeCommand(change, ['1'])).toThrow(/That is no/);
  });
});

describe('changeJobs', () => {
  test('asks for a hundred at a time and repeats what Slurm said', async () => {
    const { run, calls } = fakeRun(({ args }) =>
      args[1]?.startsWith('JobId=101') === true ? failed('Invalid job id specified for job 101\n') : said(''),
    );
    const ids = Array.from({ length: 150 }, (_, index) => String(index + 1));
    const answer = await changeJobs(run, { kind: 'nice', nice: 1 }, ids);
    expect(answer).toEqual({ ok: false, said: 'Invalid job id specified for job 101' });
    expect(calls.map(({ args }) => args[1]?.split(',').length)).toEqual([100, 50]);
  });

  test('no id that is none reaches a command', async () => {
    const { run, calls } = fakeRun(() => said(''));
    expect(await changeJobs(run, { kind: 'hold' }, ['1', '2,jobname=x'])).toMatchObject({ ok: false });
    expect(calls).toEqual([]);
  });

  test('a waiting array is named without what squeue shows of its tasks', async () => {
    const { run, calls } = fakeRun(() => said(''));
    await changeJobs(run, { kind: 'hold' }, ['7_[2-5%2]']);
    expect(calls[0]?.args).toEqual(['hold', '7']);
  });

  test('a controller that is silent is no success', async () => {
    const { run } = fakeRun(() => ({ kind: 'timeout', ms: 30_000 }));
    expect(await changeJobs(run, { kind: 'hold' }, ['1'])).toEqual({
      ok: false,
      said: 'scontrol gave no answer within 30 s',
    });
  });
});
