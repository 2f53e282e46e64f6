import { describe, expect, it } from 'vitest';
import type { CommandResult } from '../../../src/base/command.js';
import type { ExitRecord } from '../../../src/slurm/exit-record.js';
import { findJob } from '../../../src/slurm/find-job.js';
import { resolveEnd, type JobEnd } from '../../../src/slurm/job-end.js';
import { accountedJob } from '../../../src/slurm/commands/sacct.js';
import {
  failed,
  fakeRun,
  sacctLine,
  printed,
  squeueLine,
  timedOut,
  unreachable,
  type Call,
} from './fake-run.js';

const key = 'abc';
const unknownJob = failed('slurm_load_jobs error: Invalid job id specified\n');
const noAccounting = failed('Slurm accounting storage is disabled\n');
const now = new Date(2026, 10, 23, 12, 0, 0).getTime();

function shown(
  state: string,
  { name = 'dsa-slurm-abc', end = 'Unknown', requeue = 1, comment = '(null)' } = {},
): CommandResult {
  return printed(
    `JobId=42 JobName=${name}\n   UserId=dsa(1000) GroupId=dsa(1000) MCS_label=N/A\n` +
      `   JobState=${state} Reason=None Dependency=(null)\n   Requeue=${requeue} Restarts=0 ExitCode=0:0\n` +
      `   StartTime=Unknown EndTime=${end} Deadline=N/A\n   Comment=${comment}\n`,
  );
}

async function end(
  scontrol: CommandResult,
  sacct: (call: Call) => CommandResult = () => noAccounting,
  record: ExitRecord | null = null,
  trustRecord = false,
): Promise<JobEnd> {
  const { run } = fakeRun((call) => (call.file === 'scontrol' ? scontrol : sacct(call)));
  return resolveEnd({
    run,
    jobId: '42',
    key,
    readExitRecord: async () => record,
    trustRecord,
    now: () => now,
  });
}

const record: ExitRecord = {
  exitCode: 0,
  jobId: '42',
  node: 'n1',
  startedAt: 1,
  endedAt: 2,
  reachedLimit: false,
  undisturbed: false,
  logBytes: 3,
  usage: null,
};
const accounted =
  (state: string, name = 'dsa-slurm-abc') =>
  (call: Call) =>
    printed(
      sacctLine(call, { JobID: '42', JobName: name, State: state, ExitCode: '1:0', Submit: '1795462119' }),
    );

describe('resolveEnd', () => {
  it('identifies the job by its comment if the site changes job names', async () => {
    const renamed = shown('FAILED', { name: 'site-1', comment: 'dsa-slurm:abc' });
    expect(await end(renamed)).toMatchObject({ kind: 'ended', outcome: 'failed', how: 'scontrol' });
    const foreign = shown('COMPLETED', { name: 'site-1', comment: 'dsa-slurm:other' });
    expect(await end(foreign)).toMatchObject({ kind: 'lost' });
  });

  it('trusts the controller first', async () => {
    expect(await end(shown('COMPLETED'))).toMatchObject({
      kind: 'ended',
      outcome: 'succeeded',
      how: 'scontrol',
    });
    expect(await end(shown('TIMEOUT'))).toMatchObject({ kind: 'ended', outcome: 'failed' });
    expect(await end(shown('CANCELLED'))).toMatchObject({ kind: 'ended', outcome: 'canceled' });
    expect(await end(shown('RUNNING'))).toMatchObject({ kind: 'alive' });
    expect(await end(shown('COMPLETING'))).toMatchObject({ kind: 'alive' });
    expect(await end(shown('LEVITATING'))).toMatchObject({ kind: 'alive' });
  });

  it('waits for a preempted job to be requeued', async () => {
    expect(await end(shown('PREEMPTED', { end: '2026-11-23T11:59:50' }))).toMatchObject({ kind: 'alive' });
    expect(await end(shown('PREEMPTED', { end: '2026-11-23T11:50:00' }))).toMatchObject({
      outcome: 'failed',
    });
    expect(await end(shown('NODE_FAIL', { requeue: 0 }))).toMatchObject({ outcome: 'failed' });
  });

  it('never takes a missing answer for an answer', async () => {
    for (const silence of [unreachable, timedOut, printed('garbage')]) {
      expect(await end(silence, accounted('COMPLETED'), record)).toMatchObject({ kind: 'unknown' });
    }
    expect(await end(unknownJob, () => timedOut, record)).toMatchObject({ kind: 'unknown' });
    expect(
      await end(unknownJob, () => failed('sacct: error: Problem talking to the database'), record),
    ).toMatchObject({
      kind: 'unknown',
    });
  });

  it('asks the accounting about a job that the controller has forgotten', async () => {
    expect(await end(unknownJob, accounted('FAILED'))).toMatchObject({
      kind: 'ended',
      outcome: 'failed',
      exitCode: { code: 1, signal: 0 },
      how: 'sacct',
    });
    expect(await end(unknownJob, accounted('CANCELLED by 1000'))).toMatchObject({ outcome: 'canceled' });
    expect(await end(unknownJob, accounted('NODE_FAIL'))).toMatchObject({ outcome: 'failed', how: 'sacct' });
  });

  it('ignores a later job with the same id', async () => {
    const other = shown('COMPLETED', { name: 'somebody-else' });
    expect(await end(other, accounted('TIMEOUT'))).toMatchObject({ outcome: 'failed', how: 'sacct' });
    expect(await end(other, () => noAccounting, record)).toMatchObject({
      outcome: 'succeeded',
      how: 'record',
    });
    expect(await end(other, accounted('COMPLETED', 'somebody-else'))).toMatchObject({ kind: 'unknown' });
  });

  it.each([
    ['does not know the job', () => printed('')],
    ['still has it running', accounted('RUNNING')],
  ])('believes no exit record while the accounting %s', async (_, sacct) => {
    expect(await end(unknownJob, sacct, record)).toMatchObject({ kind: 'unrecorded' });
    expect(await end(unknownJob, sacct, { ...record, exitCode: 143 })).toMatchObject({ kind: 'unrecorded' });
  });

  it('trusts the exit record last', async () => {
    expect(await end(unknownJob, () => noAccounting, record)).toMatchObject({
      outcome: 'succeeded',
      how: 'record',
    });
    expect(await end(unknownJob, () => printed(''), { ...record, exitCode: 3 }, true)).toMatchObject({
      outcome: 'failed',
      exitCode: { code: 3, signal: 0 },
    });
    expect(await end(unknownJob, accounted('RUNNING'), record, true)).toMatchObject({ how: 'record' });
    expect(await end(unknownJob, () => noAccounting, { ...record, jobId: '41' })).toMatchObject({
      kind: 'lost',
    });
    expect(await end(unknownJob)).toMatchObject({ kind: 'lost', why: expect.stringContaining('42') });
  });
});

const twoAttempts = (call: Call) =>
  printed(
    sacctLine(call, { JobID: '42', JobName: 'n', State: 'NODE_FAIL', Submit: '1795462119' }) +
      'some noise\n' +
      sacctLine(call, { JobID: '42', JobName: 'n', State: 'COMPLETED', Submit: '1795462999' }),
  );

const row = (call: Call, id: string, submit: string, comment = '') =>
  squeueLine(call, {
    JobArrayID: id,
    State: 'PENDING',
    Name: 'dsa-slurm-abc',
    SubmitTime: submit,
    Comment: comment,
  });

describe('accountedJob', () => {
  it('queries by name, takes the latest submission, and detects sites without accounting', async () => {
    const { run, calls } = fakeRun(twoAttempts);
    expect(await accountedJob(run, { name: 'n', since: now })).toMatchObject({
      kind: 'jobs',
      jobs: [{ state: { base: 'COMPLETED' } }, { state: { base: 'NODE_FAIL' } }],
    });
    expect(calls[0]?.args).toEqual(expect.arrayContaining(['--name=n', '--starttime=2026-11-23T12:00:00']));
    expect(await accountedJob(fakeRun(() => noAccounting).run, { name: 'n' })).toEqual({
      kind: 'no-accounting',
    });
    const missing: CommandResult = { kind: 'missing', reason: 'ENOENT', ms: 1 };
    expect(await accountedJob(fakeRun(() => missing).run, { name: 'n' })).toEqual({ kind: 'no-accounting' });
    expect(await accountedJob(fakeRun(() => printed('')).run, { name: 'n' })).toEqual({
      kind: 'unknown-job',
    });
    expect(await accountedJob(fakeRun(() => printed('garbage\n')).run, { name: 'n' })).toMatchObject({
      kind: 'silence',
    });
  });
});

describe('findJob', () => {
  const question = { key, since: now };

  it('finds the job in the queue, and reports a second one', async () => {
    const { run } = fakeRun((call) => printed(row(call, '41', '1795462100') + row(call, '42', '1795462200')));
    expect(await findJob(run, question)).toMatchObject({ kind: 'found', jobId: '42', others: ['41'] });
  });

  it('ignores a job that another worker submitted for the same task', async () => {
    const marked = { ...question, mark: '00000001' };
    const [own, foreign] = ['dsa-slurm:abc:00000001', 'dsa-slurm:abc:00000002'];
    const both = fakeRun((call) =>
      printed(row(call, '41', '1795462100', own) + row(call, '42', '1795462200', foreign)),
    );
    expect(await findJob(both.run, marked)).toMatchObject({ kind: 'found', jobId: '41', others: [] });
    // the accounting has no comments
    const only = fakeRun((call) =>
      call.file === 'squeue' ? printed(row(call, '42', '1795462200', foreign)) : accounted('RUNNING')(call),
    );
    expect(await findJob(only.run, marked)).toEqual({ kind: 'none', accounting: true });
    // of an older version, or where the site has written its own comment
    const unmarked = fakeRun((call) => printed(row(call, '43', '1795462100')));
    expect(await findJob(unmarked.run, marked)).toMatchObject({ kind: 'found', jobId: '43' });
  });

  it('finds it in the accounting', async () => {
    const { run } = fakeRun((call) => (call.file === 'squeue' ? printed('') : accounted('FAILED')(call)));
    expect(await findJob(run, question)).toMatchObject({ kind: 'found', jobId: '42', others: [] });
  });

  it('reports no job only if controller and accounting have both answered', async () => {
    const none = fakeRun((call) => (call.file === 'squeue' ? printed('') : noAccounting));
    expect(await findJob(none.run, question)).toEqual({ kind: 'none', accounting: false });
    const silent = fakeRun((call) => (call.file === 'squeue' ? printed('') : timedOut));
    expect(await findJob(silent.run, question)).toMatchObject({ kind: 'silence' });
    expect(await findJob(fakeRun(() => unreachable).run, question)).toMatchObject({ kind: 'silence' });
    const torn = fakeRun((call) => (call.file === 'squeue' ? printed('torn') : noAccounting));
    expect(await findJob(torn.run, question)).toMatchObject({ kind: 'silence' });
  });
});
