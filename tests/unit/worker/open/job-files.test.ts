import { describe, expect, test, vi } from 'vitest';

import { systemClock } from '../../../../src/base/clock.js';
import type { BatchScriptAnswer, JobDetailsAnswer } from '../../../../src/slurm/commands/scontrol.js';
import { parseShowJob } from '../../../../src/slurm/commands/scontrol.js';
import { logPlace } from '../../../../src/worker/open/log-place.js';
import { applyEvent, beginRun, type Run } from '../../../../src/worker/run-state/run.js';
import type { JobScript } from '../../../../src/worker/views/live-views.js';
import { readJobScript } from '../../../../src/worker/views/job-script.js';
import { someTask } from '../../../support/tasks.js';

function shown(errors: string): JobDetailsAnswer {
  const text = `JobId=7 JobName=x
   UserId=a(1) GroupId=a(1)
   JobState=RUNNING Reason=None Dependency=(null)
   StdErr=${errors}
   StdOut=/logs/7.out
`;
  const job = parseShowJob(text);
  return job === null ? { kind: 'unknown-job' } : { kind: 'job', job };
}

function place(of: string, answer: JobDetailsAnswer): ReturnType<typeof logPlace> {
  return logPlace(of, {
    runStore: { get: () => undefined },
    executor: { name: 'Slurm', describe: async () => answer },
  });
}

describe('the standard error of a job', () => {
  test('is the file that Slurm reports', async () => {
    const where = place('stderr:7', shown('/logs/7.err'));
    expect(where()).toMatchObject({ path: null, isLookupPending: true });
    await vi.waitFor(() => expect(where()).toEqual({ path: '/logs/7.err', problem: null }));
    const output = place('job:7', shown('/logs/7.err'));
    await vi.waitFor(() => expect(output()).toEqual({ path: '/logs/7.out', problem: null }));
  });

  test.each([
    [shown('/logs/7.out'), /same file as its output/],
    [shown('relative.err'), /reports no output file/],
    [{ kind: 'unknown-job' } as const, /no longer knows this job/],
    [{ kind: 'silence', why: 'scontrol timed out' } as const, /scontrol timed out/],
  ])('says why there is none: %#', async (answer, problem) => {
    const where = place('stderr:7', answer);
    await vi.waitFor(() => expect(where()).toMatchObject({ path: null }));
    await vi.waitFor(() => expect(where().problem).toMatch(problem));
  });
});

async function read(answer: BatchScriptAnswer, runs: readonly Run[] = []): Promise<JobScript> {
  return readJobScript('7', {
    executor: { batchScript: async () => answer },
    runStore: { all: () => runs.values() },
    clock: { ...systemClock, now: () => 5 },
  });
}

describe('the batch script of a job', () => {
  test('is split into lines and keeps its control characters for the screen to escape', async () => {
    expect(await read({ kind: 'script', text: '#!/bin/sh\n\n\u001B[2Jx\n' })).toEqual({
      jobId: '7',
      lines: ['#!/bin/sh', '', '\u001B[2Jx'],
      omitted: 0,
      at: 5,
      problem: null,
    });
  });

  test('masks the secrets of its run', async () => {
    const task = someTask({ headers: { girder_client_token: 'TOP-SECRET-TOKEN' } });
    const submission = { key: 'k', logFile: '/l', exitRecord: '/e', at: 3 };
    const run = [
      { type: 'submitting' as const, at: 2, submission },
      { type: 'submitted' as const, at: 3, jobId: '7' },
    ].reduce(applyEvent, beginRun({ type: 'accepted', at: 1, task, refusal: null }));
    const { lines } = await read({ kind: 'script', text: 'curl -H TOP-SECRET-TOKEN\n' }, [run]);
    expect(lines.join('\n')).toMatch(/^curl/);
    expect(lines.join('\n')).not.toContain('SECRET');
  });

  test('is bounded, and says so', async () => {
    const { lines, omitted } = await read({ kind: 'script', text: 'x\n'.repeat(7_000) });
    expect([lines.length, omitted]).toEqual([5_000, 2_000]);
  });

  test('is not there without an answer', async () => {
    expect(await read({ kind: 'silence', why: 'scontrol: denied' })).toMatchObject({
      at: null,
      lines: [],
      problem: 'scontrol: denied',
    });
  });
});
