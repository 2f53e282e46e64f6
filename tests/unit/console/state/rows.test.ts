import { describe, expect, test } from 'vitest';
import {
  countGroups,
  elapsedSeconds,
  finishedLimit,
  mergeRows,
  type Row,
} from '../../../../src/console/state/rows.js';
import { parseQuery } from '../../../../src/console/table/query.js';
import { jobsTable } from '../../../../src/console/views/tables/jobs.js';
import { rowStatus } from '../../../../src/console/views/tables/row-status.js';
import type { JobRow } from '../../../../src/slurm/job.js';
import type { RunView } from '../../../../src/worker/views/handle.js';
import { createFakeWorker, fakeJob, fakeRun } from '../../../support/fake-worker-handle.js';

function rowsOf(
  runs: readonly RunView[],
  jobs: readonly JobRow[] = [],
  previous: readonly Row[] = [],
): readonly Row[] {
  const worker = createFakeWorker();
  worker.show({ runs, jobs: { rows: jobs } });
  return mergeRows(worker.snapshot(), previous);
}

const ids = (rows: readonly Row[]): string[] => rows.map(({ id }) => id);

const status = (run: Partial<RunView>, job?: Partial<JobRow>): string => {
  const row = rowsOf(
    [fakeRun({ id: 'a', jobId: '1', ...run })],
    job === undefined ? [] : [fakeJob({ id: '1', ...job })],
  )[0];
  const { glyph, word } = rowStatus(row as Row);
  return `${glyph} ${word}`;
};

describe('mergeRows', () => {
  test('merges a run and its job into one row, and gives other jobs their own row', () => {
    const rows = rowsOf(
      [fakeRun({ id: 'a', stage: 'running', jobId: '1' }), fakeRun({ id: 'b', stage: 'accepted' })],
      [fakeJob({ id: '1' }), fakeJob({ id: '2', name: 'other' })],
    );
    expect(ids(rows)).toEqual(['job:2', 'run:a', 'run:b']);
    expect(rows[1]?.job?.id).toBe('1');
    expect(rows[2]?.job).toBeNull();
  });

  test('orders running, waiting and finished rows', () => {
    const rows = rowsOf([
      fakeRun({ id: 'f1', stage: 'finished', outcome: 'failed', finishedAt: 10 }),
      fakeRun({ id: 'f2', stage: 'finished', outcome: 'succeeded', finishedAt: 20 }),
      fakeRun({ id: 'w2', stage: 'staging', acceptedAt: 6 }),
      fakeRun({ id: 'w1', stage: 'queued', acceptedAt: 5 }),
      fakeRun({ id: 'r2', stage: 'collecting', acceptedAt: 2 }),
      fakeRun({ id: 'r1', stage: 'running', acceptedAt: 1 }),
    ]);
    expect(ids(rows)).toEqual(['run:r1', 'run:r2', 'run:w1', 'run:w2', 'run:f2', 'run:f1']);
  });

  test('keeps only the newest finished rows', () => {
    const runs = Array.from({ length: finishedLimit + 5 }, (_, index) =>
      fakeRun({ id: String(index), stage: 'finished', outcome: 'succeeded', finishedAt: index }),
    );
    const rows = rowsOf(runs);
    expect(rows).toHaveLength(finishedLimit);
    expect(rows[0]?.id).toBe(`run:${finishedLimit + 4}`);
  });

  test('counts running and waiting rows', () => {
    const running = fakeRun({ id: 'r', stage: 'running' });
    const waiting = [fakeRun({ id: 'w1', stage: 'queued' }), fakeRun({ id: 'w2', stage: 'staging' })];
    const finished = fakeRun({ id: 'f', stage: 'finished', outcome: 'failed' });
    expect(countGroups(rowsOf([]))).toEqual({ running: 0, waiting: 0 });
    expect(countGroups(rowsOf([running]))).toEqual({ running: 1, waiting: 0 });
    expect(countGroups(rowsOf([finished]))).toEqual({ running: 0, waiting: 0 });
    expect(countGroups(rowsOf([finished, ...waiting]))).toEqual({ running: 0, waiting: 2 });
    expect(countGroups(rowsOf([finished, ...waiting, running]))).toEqual({ running: 1, waiting: 2 });
  });

  test('replaces the row of a changed run or job and keeps its id', () => {
    const run = fakeRun({ id: 'a', jobId: '1', stage: 'running' });
    const before = rowsOf([run], [fakeJob({ id: '1' }), fakeJob({ id: '2' })]);
    const after = rowsOf([{ ...run, jobId: '2' }], [fakeJob({ id: '1' }), fakeJob({ id: '2' })], before);
    expect(after.map(({ id, job }) => [id, job?.id])).toEqual([
      ['job:1', '1'],
      ['run:a', '2'],
    ]);
    const pending = fakeJob({ id: '1', state: { base: 'PENDING', flags: [] } });
    expect(rowsOf([], [pending], after)).toEqual([
      { id: 'job:1', group: 'waiting', run: null, job: pending },
    ]);
  });

  test('keeps the identity of unchanged rows', () => {
    const [a, b] = [fakeRun({ id: 'a' }), fakeRun({ id: 'b', acceptedAt: 1 })];
    const before = rowsOf([a, b]);
    expect(rowsOf([a, b], [], before)).toBe(before);
    const after = rowsOf([a, { ...b, progress: 0.5 }], [], before);
    expect(after).not.toBe(before);
    expect(after[0]).toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
  });
});

describe('filterRows', () => {
  const rows = rowsOf(
    [
      fakeRun({ id: 'aaa', title: 'Liver slide', user: 'alice', jobId: '17', stage: 'running' }),
      fakeRun({
        id: 'bbb',
        image: 'Example/Other:v2',
        stage: 'finished',
        outcome: 'failed',
        reason: 'out of memory',
      }),
    ],
    [fakeJob({ id: '17', partition: 'gpu', nodes: 'node9' }), fakeJob({ id: '99', name: 'backup' })],
  );
  test.each([
    ['', 3],
    ['liver', 1],
    ['ALICE gpu', 1],
    ['alice backup', 0],
    ['node', 2],
    ['other:v2', 1],
    ['failed memory', 1],
    ['  ', 3],
    ['.*', 0],
    ['!liver', 2],
    ['/liv.r|backup/', 2],
    ['!/LIV.R/', 2],
    ['partition=gpu', 1],
    ['partition=G*', 1],
    ['partition!=gpu', 2],
    ['image~v\\d$ !liver', 1],
    ['job>20', 1],
    ['job<=17', 1],
    ['title="Liver slide"', 1],
    // incomplete terms match every row
    ['/(/', 3],
    ['nofield=1', 3],
    ['job>x', 3],
  ])('%j matches %i rows', (filter, count) => {
    const query = parseQuery(filter, jobsTable.fields);
    const context = { now: 0, age: { at: 0, problem: null } };
    const through = jobsTable.select(rows, { query, sorting: null, errorsOnly: false }, context);
    expect(through).toHaveLength(count);
  });

  test.each([
    ['/(/', '"(" is not a valid regular expression.'],
    ['nofield=1', 'Unknown field "nofield"'],
    ['job>x', '"x" after job> is not a number.'],
    ['liver', null],
  ])('%j: %j', (filter, problem) => {
    const { problem: actual } = parseQuery(filter, jobsTable.fields);
    if (problem === null) expect(actual).toBeNull();
    else expect(actual).toContain(problem);
  });
});

describe('rowStatus', () => {
  test.each<[Partial<RunView>, Partial<JobRow> | undefined, string]>([
    [{ stage: 'accepted' }, undefined, 'waiting accepted'],
    [{ stage: 'staging' }, undefined, 'working staging'],
    [{ stage: 'queued' }, undefined, 'waiting queued'],
    [{ stage: 'queued' }, { state: { base: 'PENDING', flags: [] } }, 'waiting PENDING'],
    [{ stage: 'running' }, {}, 'running RUNNING'],
    [{ stage: 'running' }, { state: { base: 'RUNNING', flags: ['COMPLETING'] } }, 'working COMPLETING'],
    [{ stage: 'running' }, { state: { base: 'OUT_OF_MEMORY', flags: [] } }, 'failed OUT_OF_MEMORY'],
    [{ stage: 'running' }, { state: { base: 'SOMETHING_NEW', flags: [] } }, 'unknown SOMETHING_NEW'],
    [{ stage: 'running', cancelRequested: true }, {}, 'working canceling'],
    [{ stage: 'collecting' }, { state: { base: 'COMPLETED', flags: [] } }, 'working collecting'],
    [{ stage: 'finished', outcome: 'succeeded' }, undefined, 'succeeded succeeded'],
    [{ stage: 'finished', outcome: 'canceled', cancelRequested: true }, undefined, 'canceled canceled'],
  ])('%j %j', (run, job, expected) => {
    expect(status(run, job)).toBe(expected);
  });
});

describe('elapsedSeconds', () => {
  const jobs = { rows: [], at: 10_000, problem: null };
  const running = rowsOf(
    [fakeRun({ id: 'a', stage: 'running', jobId: '1' })],
    [fakeJob({ id: '1', elapsed: 60, startedAt: 1 })],
  )[0] as Row;

  test("extrapolates a running job's time only while Slurm responds", () => {
    expect(elapsedSeconds(running, jobs, 13_000)).toBe(63);
    expect(elapsedSeconds(running, { ...jobs, problem: 'no answer' }, 13_000)).toBe(60);
  });

  test('is the time in the stage for a waiting run, and from arrival to end for a finished one', () => {
    const [waiting, finished] = rowsOf([
      fakeRun({ id: 'w', stage: 'queued', stageSince: 4_000 }),
      fakeRun({ id: 'f', stage: 'finished', outcome: 'failed', acceptedAt: 1_000, finishedAt: 8_000 }),
    ]);
    expect(elapsedSeconds(waiting as Row, jobs, 9_000)).toBe(5);
    expect(elapsedSeconds(finished as Row, jobs, 9_000)).toBe(7);
  });
});
