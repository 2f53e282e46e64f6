import { describe, expect, it, vi } from 'vitest';
import { cancelJobs, createGentleCancel } from '../../../../src/slurm/commands/scancel.js';
import { failed, fakeRun, said, timedOut } from '../fake-run.js';

it('cancels a hundred at a time', async () => {
  const { run, calls } = fakeRun(() => said(''));
  const ids = Array.from({ length: 250 }, (_, index) => String(index + 1));
  expect(await cancelJobs(run, ids)).toEqual({ ok: true, said: '' });
  expect(calls.map((call) => call.args.length)).toEqual([100, 100, 50]);
  expect(calls.flatMap((call) => call.args)).toEqual(ids);
});

it('asks nothing for nothing, and nothing that is no job id', async () => {
  const { run, calls } = fakeRun(() => said(''));
  expect(await cancelJobs(run, [])).toEqual({ ok: true, said: '' });
  expect(await cancelJobs(run, ['42', '--user=root'])).toMatchObject({ ok: false });
  expect(calls).toEqual([]);
});

it('means only the waiting tasks of an array', async () => {
  const { run, calls } = fakeRun(() => said(''));
  await cancelJobs(run, ['4_[0-5%2]', '5_1', '6_[...]']);
  expect(calls.map(({ args }) => args)).toEqual([['5_1'], ['--state=PENDING', '4_[0-5]', '6']]);
});

it('takes a job that is over for canceled', async () => {
  const gone = failed('scancel: error: Kill job error on job id 42: Invalid job id specified\n');
  expect(await cancelJobs(fakeRun(() => gone).run, ['42'])).toEqual({ ok: true, said: '' });
});

it("repeats scancel's own words", async () => {
  const denied = failed(
    'scancel: error: Kill job error on job id 41: Invalid job id specified\n' +
      'scancel: error: Kill job error on job id 42: Access/permission denied\n',
  );
  expect(await cancelJobs(fakeRun(() => denied).run, ['41', '42'])).toEqual({
    ok: false,
    said: 'scancel: error: Kill job error on job id 42: Access/permission denied',
  });
  expect(await cancelJobs(fakeRun(() => timedOut).run, ['42'])).toEqual({
    ok: false,
    said: 'scancel gave no answer within 30 s',
  });
  expect(await cancelJobs(fakeRun(() => failed('')).run, ['42'])).toEqual({
    ok: false,
    said: 'scancel exited with 1',
  });
});

function bench(answer: Parameters<typeof fakeRun>[0] = () => said('')) {
  const { run, calls } = fakeRun(answer);
  const over = new Set<string>();
  const pass = Promise.withResolvers<void>();
  const troubles: string[] = [];
  const cancel = createGentleCancel({
    run,
    clock: { now: () => 0, monotonic: () => 0, sleep: async () => pass.promise },
    graceMs: 10_000,
    isRunning: (id) => id.startsWith('1'),
    isOver: (id) => over.has(id),
    onTrouble: (words) => troubles.push(words),
  });
  return { cancel, over, pass, troubles, lines: () => calls.map(({ args }) => args.join(' ')) };
}

describe('a cancel in two steps', () => {
  it('asks running jobs to end, and cancels those that are left', async () => {
    const { cancel, over, pass, lines } = bench();
    expect(await cancel(['11', '12', '21'])).toEqual({ ok: true, said: '' });
    expect(lines()).toEqual(['--batch --signal=TERM 11 12', '21']);
    over.add('11');
    pass.resolve();
    await vi.waitFor(() => expect(lines().slice(2)).toEqual(['12']));
  });

  it('cancels at once what is asked for again', async () => {
    const { cancel, pass, lines } = bench();
    await cancel(['11']);
    await cancel(['11']);
    expect(lines()).toEqual(['--batch --signal=TERM 11', '11']);
    pass.resolve();
    // and not once more when its time is over
    await cancel(['21']);
    expect(lines().slice(2)).toEqual(['21']);
  });

  it('cancels at once where the first step is refused', async () => {
    const { cancel, lines } = bench(({ args }) => (args[0] === '--batch' ? timedOut : said('')));
    expect(await cancel(['11'])).toEqual({ ok: true, said: '' });
    expect(lines()).toEqual(['--batch --signal=TERM 11', '11']);
  });
});
