import { describe, expect, test } from 'vitest';

import { changeCommand, changeJobs, type JobChange } from '../../../../src/slurm/commands/change-jobs.js';
import { failed, fakeRun, printed } from '../fake-run.js';

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
    expect(() => changeCommand(change, ['1'])).toThrow(/That is not a valid/);
  });
});

describe('changeJobs', () => {
  test("changes a hundred jobs per call and passes on Slurm's message", async () => {
    const { run, calls } = fakeRun(({ args }) =>
      args[1]?.startsWith('JobId=101') === true
        ? failed('Invalid job id specified for job 101\n')
        : printed(''),
    );
    const ids = Array.from({ length: 150 }, (_, index) => String(index + 1));
    const answer = await changeJobs(run, { kind: 'nice', nice: 1 }, ids);
    expect(answer).toEqual({ ok: false, message: 'Invalid job id specified for job 101' });
    expect(calls.map(({ args }) => args[1]?.split(',').length)).toEqual([100, 50]);
  });

  test('never passes an invalid id to a command', async () => {
    const { run, calls } = fakeRun(() => printed(''));
    expect(await changeJobs(run, { kind: 'hold' }, ['1', '2,jobname=x'])).toMatchObject({ ok: false });
    expect(calls).toEqual([]);
  });

  test('names the pending tasks of an array without the throttle', async () => {
    const { run, calls } = fakeRun(() => printed(''));
    await changeJobs(run, { kind: 'hold' }, ['7_[2-5%2]', '8']);
    expect(calls[0]?.args).toEqual(['hold', '7_[2-5],8']);
  });

  test('leaves an array alone if squeue truncated it', async () => {
    const { run, calls } = fakeRun(() => printed(''));
    expect(await changeJobs(run, { kind: 'hold' }, ['8', '7_[...]'])).toMatchObject({ ok: false });
    expect(calls).toEqual([]);
  });

  test('extends several jobs with absolute limits, or with one call each if their limits are not known', async () => {
    const { run, calls } = fakeRun(() => printed(''));
    const limits: Record<string, number> = { '1': 3600, '2': 3600, '3_[1-4%1]': 7200 };
    const limitOf = (id: string): number | null => limits[id] ?? null;
    await changeJobs(run, { kind: 'timeLimit', limit: '+30' }, ['1', '2', '3_[1-4%1]', '4', '5'], limitOf);
    await changeJobs(run, { kind: 'timeLimit', limit: '-1:30:00' }, ['1'], limitOf);
    await changeJobs(run, { kind: 'timeLimit', limit: '+1-2' }, ['1'], limitOf);
    expect(calls.map(({ args }) => args.slice(1).join(' '))).toEqual([
      'JobId=4 TimeLimit=+30',
      'JobId=5 TimeLimit=+30',
      'JobId=1,2 TimeLimit=90',
      'JobId=3_[1-4] TimeLimit=150',
      'JobId=1 TimeLimit=1',
      'JobId=1 TimeLimit=1620',
    ]);
  });

  test('fails if the controller does not answer', async () => {
    const { run } = fakeRun(() => ({ kind: 'timeout', ms: 30_000 }));
    expect(await changeJobs(run, { kind: 'hold' }, ['1'])).toEqual({
      ok: false,
      message: 'scontrol did not answer within 30 s',
    });
  });
});
