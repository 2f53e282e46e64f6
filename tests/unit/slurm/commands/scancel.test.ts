import { describe, expect, it, vi } from 'vitest';
import { cancelJobs, createGentleCancel } from '../../../../src/slurm/commands/scancel.js';
import { failed, fakeRun, printed, timedOut } from '../fake-run.js';

it('cancels a hundred jobs per call', async () => {
  const { run, calls } = fakeRun(() => printed(''));
  const ids = Array.from({ length: 250 }, (_, index) => String(index + 1));
  expect(await cancelJobs(run, ids)).toEqual({ ok: true, message: '' });
  expect(calls.map((call) => call.args.length)).toEqual([100, 100, 50]);
  expect(calls.flatMap((call) => call.args)).toEqual(ids);
});

it('does not call scancel without ids or with an invalid id', async () => {
  const { run, calls } = fakeRun(() => printed(''));
  expect(await cancelJobs(run, [])).toEqual({ ok: true, message: '' });
  expect(await cancelJobs(run, ['42', '--user=root'])).toMatchObject({ ok: false });
  expect(calls).toEqual([]);
});

it('cancels only the pending tasks of an array', async () => {
  const { run, calls } = fakeRun(() => printed(''));
  await cancelJobs(run, ['4_[0-5%2]', '5_1', '6_[...]']);
  expect(calls.map(({ args }) => args)).toEqual([['5_1'], ['--state=PENDING', '4_[0-5]', '6']]);
});

it('counts a job that has already ended as canceled', async () => {
  const gone = failed('scancel: error: Kill job error on job id 42: Invalid job id specified\n');
  expect(await cancelJobs(fakeRun(() => gone).run, ['42'])).toEqual({ ok: true, message: '' });
});

it("passes on scancel's message", async () => {
  const denied = failed(
    'scancel: error: Kill job error on job id 41: Invalid job id specified\n' +
      'scancel: error: Kill job error on job id 42: Access/permission denied\n',
  );
  expect(await cancelJobs(fakeRun(() => denied).run, ['41', '42'])).toEqual({
    ok: false,
    message: 'scancel: error: Kill job error on job id 42: Access/permission denied',
  });
  expect(await cancelJobs(fakeRun(() => timedOut).run, ['42'])).toEqual({
    ok: false,
    message: 'scancel did not answer within 30 s',
  });
  expect(await cancelJobs(fakeRun(() => failed('')).run, ['42'])).toEqual({
    ok: false,
    message: 'scancel exited with 1',
  });
});

function bench(answer: Parameters<typeof fakeRun>[0] = () => printed('')) {
  const { run, calls } = fakeRun(answer);
  const over = new Set<string>();
  const ended = new Set<string>();
  let now = 0;
  let pass = Promise.withResolvers<void>();
  const errors: string[] = [];
  const cancel = createGentleCancel({
    run,
    clock: { now: () => now, monotonic: () => now, sleep: async () => pass.promise },
    signal: 'QUIT',
    graceMs: 10_000,
    isRunning: (id) => id.startsWith('1'),
    isOver: (id) => over.has(id),
    hasEnded: async (id) => ended.has(id),
    onError: (message) => errors.push(message),
  });
  /** Lets `ms` pass, and everything look at what is so then. */
  const wait = async (ms: number): Promise<void> => {
    now += ms;
    const { resolve } = pass;
    pass = Promise.withResolvers<void>();
    resolve();
    await new Promise((done) => setImmediate(done));
  };
  return { cancel, over, ended, wait, errors, lines: () => calls.map(({ args }) => args.join(' ')) };
}

describe('a cancel in two steps', () => {
  it('reports that the second step may not run any more, and rejects nothing', async () => {
    const errors: string[] = [];
    const unhandled: unknown[] = [];
    const listener = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', listener);
    let calls = 0;
    const cancel = createGentleCancel({
      run: async () => {
        calls += 1;
        if (calls > 1) throw new Error('this worker has stopped');
        return { kind: 'exited', exitCode: 0, stdout: '', stderr: '', ms: 1 };
      },
      clock: { now: () => 0, monotonic: () => 0, sleep: async () => undefined },
      signal: 'QUIT',
      graceMs: 10_000,
      isRunning: () => true,
      isOver: () => false,
      hasEnded: async () => true,
      onError: (message) => errors.push(message),
    });
    expect(await cancel(['11'])).toEqual({ ok: true, message: '' });
    await vi.waitFor(() => expect(errors).toEqual(['this worker has stopped']));
    process.off('unhandledRejection', listener);
    expect(unhandled).toEqual([]);
  });

  it('signals running jobs, and cancels those that remain', async () => {
    const { cancel, over, wait, lines } = bench();
    expect(await cancel(['11', '12', '21'])).toEqual({ ok: true, message: '' });
    expect(lines()).toEqual(['--batch --signal=QUIT 11 12', '21']);
    over.add('11');
    await wait(9_999);
    expect(lines()).toHaveLength(2);
    await wait(1);
    expect(lines().slice(2)).toEqual(['12']);
    await wait(10_000);
    expect(lines()).toHaveLength(3);
  });

  it('cancels jobs as soon as their analyses have ended, in one call if they end together', async () => {
    const { cancel, ended, wait, lines } = bench();
    await cancel(['11', '12', '13']);
    await wait(100);
    ended.add('11').add('13');
    await wait(200);
    expect(lines().slice(1)).toEqual(['11 13']);
    await wait(9_700);
    expect(lines().slice(2)).toEqual(['12']);
  });

  it('cancels at once on a second request', async () => {
    const { cancel, wait, lines } = bench();
    await cancel(['11']);
    await cancel(['11']);
    expect(lines()).toEqual(['--batch --signal=QUIT 11', '11']);
    // and not once more when its time is over
    await wait(10_000);
    expect(lines()).toHaveLength(2);
  });

  it('cancels at once if the first step fails', async () => {
    const { cancel, lines } = bench(({ args }) => (args[0] === '--batch' ? timedOut : printed('')));
    expect(await cancel(['11'])).toEqual({ ok: true, message: '' });
    expect(lines()).toEqual(['--batch --signal=QUIT 11', '11']);
  });

  it('reports a second step that fails', async () => {
    const { cancel, wait, errors } = bench(({ args }) => (args[0] === '--batch' ? printed('') : timedOut));
    await cancel(['11']);
    await wait(10_000);
    expect(errors).toEqual(['scancel did not answer within 30 s']);
  });
});
