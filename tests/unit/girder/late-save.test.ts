import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { silentLog } from '../../../src/base/log.js';
import { createGirderConnections } from '../../../src/girder/api/connections.js';
import { createGirderJob } from '../../../src/girder/jobs/job.js';
import { createReportLimits } from '../../../src/girder/jobs/report-limits.js';
import { createSentLog } from '../../../src/girder/jobs/sent-log.js';
import { readSession } from '../../../src/girder/api/requests-session.js';
import { startFakeGirder } from '../../../src/sandbox/fake-girder/index.js';
import { createManualClock } from '../../support/doctor.js';

/** A Girder job whose task was just accepted, and the late save of slicer_cli_web that follows. */
async function bench({ age = 0, reportMs = 500, isNew = false } = {}) {
  const dir = await mkdtemp(path.join(tmpdir(), 'dsa-slurm-late-'));
  const girder = await startFakeGirder({ dir });
  const clock = createManualClock();
  const connections = createGirderConnections();
  const stop = new AbortController();
  const job = girder.createJob({ title: 'T', type: 't', celeryTaskId: 'task' });
  const save = girder.loadForLateSave(job.id);
  const onCancel = vi.fn();
  const girderJob = createGirderJob(
    {
      id: job.id,
      url: `${girder.apiUrl}/job/${job.id}`,
      method: 'PUT',
      headers: { 'Girder-Token': job.token },
      session: readSession(undefined),
    },
    {
      connections,
      apiUrlMap: {},
      clock,
      log: silentLog(),
      limits: createReportLimits({ reportMs, concurrency: 8 }),
      tokenExpiresAt: Infinity,
      finishPatienceMs: 1_000,
      acceptedAt: clock.now() - age,
      isNew,
      onCancel,
    },
  );
  onTestFinished(async () => {
    stop.abort();
    girderJob.close();
    await connections.close();
    await girder.stop();
    await rm(dir, { recursive: true });
  });
  /** Advances time until a condition holds. */
  const until = async (isSo: () => void): Promise<void> =>
    vi.waitFor(async () => {
      await clock.pass(0);
      isSo();
    });
  /** Advances time and lets Girder answer. */
  const pass = async (ms: number): Promise<void> => {
    const asked = girder.requests().length;
    await clock.pass(ms);
    await until(() => expect(girder.requests().length).toBeGreaterThan(asked));
  };
  return { girder, girderJob, job, save, clock, pass, until, stop, onCancel };
}

describe('a status that a late save of slicer_cli_web has overwritten', () => {
  it('is set again soon after', async () => {
    const { girderJob, job, save, pass, until } = await bench();
    expect(await girderJob.begin('running')).toBe('go');
    save();
    expect(job.status).toBe(0);
    await pass(1_500);
    await until(() => expect(job.status).toBe(2));
  });

  it('is seen in the answer to the first report', async () => {
    const { girder, girderJob, job, save, pass, clock, until } = await bench({
      reportMs: 2_000,
      isNew: true,
    });
    await girderJob.begin('running');
    girderJob.log('one\n');
    save();
    await clock.pass(1_500);
    await pass(500);
    await until(() => expect(job.status).toBe(2));
    expect(job.log.join('')).toBe('one\n');
    expect(girder.requests().map(({ method }) => method)).toEqual(['PUT', 'PUT', 'PUT']);
  });

  it('is set again when the save came later', async () => {
    const { girder, girderJob, job, save, pass, until } = await bench();
    await girderJob.begin('running');
    await pass(1_500);
    save();
    const asked = girder.requests().length;
    await pass(8_500);
    await until(() => expect(job.status).toBe(2));
    expect(girder.requests().length - asked).toBeLessThan(6);
  });

  it('is QUEUED for a job that waits, where RUNNING means started, until it has started', async () => {
    const { girderJob, job, save, pass, until } = await bench();
    await girderJob.begin('queued');
    save();
    await pass(1_500);
    await until(() => expect(job.status).toBe(1));
    girderJob.started();
    await until(() => expect(job.status).toBe(2));
    save();
    await pass(8_500);
    await until(() => expect(job.status).toBe(2));
  });

  it('is left alone when the user has canceled meanwhile', async () => {
    const { girder, girderJob, job, pass, until, onCancel } = await bench();
    await girderJob.begin('running');
    await girder.cancel(job.id);
    await pass(1_500);
    await until(() => expect(onCancel).toHaveBeenCalledTimes(1));
    expect(job.timestamps.map(({ status }) => status)).toEqual([2, 824]);
  });

  it('is not checked when the task was accepted long ago', async () => {
    const { girder, girderJob, clock } = await bench({ age: 60_000 });
    await girderJob.begin('running');
    const asked = girder.requests().length;
    await clock.pass(60_000);
    expect(await girderJob.finish('succeeded')).toBe(3);
    expect(girder.requests().length - asked).toBe(1);
  });
});

describe('log and progress that a late save has deleted', () => {
  it('are sent again, in order and once', async () => {
    const { girderJob, job, save, pass, until } = await bench();
    await girderJob.begin('running');
    girderJob.progress({ total: 4, current: 1, message: 'first' });
    girderJob.log('one\n');
    await girderJob.flush();
    girderJob.log('two\n');
    await girderJob.flush();
    save();
    girderJob.log('three\n');
    await girderJob.flush();
    expect(job.log.join('')).toBe('three\n');
    await pass(1_500);
    await until(() => expect(job.log.join('')).toBe('one\ntwo\nthree\n'));
    await until(() => expect(job.progress).toEqual({ total: 4, current: 1, message: 'first' }));
    girderJob.log('four\n');
    expect(await girderJob.finish('succeeded')).toBe(3);
    expect(job.log.join('')).toBe('one\ntwo\nthree\nfour\n');
  });

  it('are restored before the end, whenever the save came', async () => {
    const { girderJob, job, save, pass } = await bench();
    await girderJob.begin('running');
    girderJob.log('one\n');
    await girderJob.flush();
    await pass(1_500);
    await pass(8_500);
    save();
    girderJob.log('two\n');
    expect(await girderJob.finish('failed')).toBe(4);
    expect(job.log.join('')).toBe('one\ntwo\n');
  });

  it('are not restored if someone else writes to the log', () => {
    const log = createSentLog();
    log.start('');
    log.add('one\n');
    log.add('two\n');
    expect(log.repaired('one\ntwo\n')).toBeNull();
    expect(log.repaired('one\ntwo\nof somebody else\n')).toBeNull();
    expect(log.repaired('else\n')).toBeNull();
    expect(log.repaired('')).toBe('one\ntwo\n');
    expect(log.repaired('two\n')).toBe('one\ntwo\n');
  });

  it('are not restored if Girder may have truncated the log, or too much is missing', () => {
    const log = createSentLog();
    log.start('');
    for (let n = 0; n < 100; n += 1) log.add('x'.repeat(8_192));
    expect(log.repaired('x'.repeat(100 * 8_192 - 10))).toHaveLength(100 * 8_192);
    expect(log.repaired('x'.repeat(8_192))).toBeNull();
    for (let n = 0; n < 200; n += 1) log.add('x'.repeat(8_192));
    expect(log.repaired('x'.repeat(300 * 8_192 - 10))).toBeNull();
  });
});

describe('a run that ended before slicer_cli_web saved its job', () => {
  it.each([
    ['succeeded', 3],
    ['failed', 4],
    ['canceled', 5],
  ] as const)('has %s all the same, with its log', async (outcome, status) => {
    const { girderJob, job, save, pass, until, stop } = await bench();
    await girderJob.begin('running');
    girderJob.log('why\n');
    expect(await girderJob.finish(outcome)).toBe(status);
    save();
    expect([job.status, job.log]).toEqual([0, []]);
    const confirmed = girderJob.verifyOutcome(outcome, stop.signal);
    await pass(1_500);
    await until(() => expect(job.status).toBe(status));
    await confirmed;
    expect(job.log.join('')).toBe('why\n');
    girderJob.close();
    save();
    await pass(8_500);
    await until(() => expect(job.status).toBe(status));
    expect(job.log.join('')).toBe('why\n');
  });

  it('does not delay stopping the worker', async () => {
    const { girderJob, stop } = await bench();
    await girderJob.begin('running');
    await girderJob.finish('succeeded');
    const confirmed = girderJob.verifyOutcome('succeeded', stop.signal);
    stop.abort();
    await confirmed;
  });
});
