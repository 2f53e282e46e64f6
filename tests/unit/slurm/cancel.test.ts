import { expect, it } from 'vitest';
import { cancelJobs } from '../../../src/slurm/cancel.js';
import { failed, fakeRun, said, timedOut } from './fake-run.js';

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

it('means the whole of a waiting array', async () => {
  const { run, calls } = fakeRun(() => said(''));
  await cancelJobs(run, ['4_[0-5%2]', '5_1']);
  expect(calls[0]?.args).toEqual(['4', '5_1']);
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
