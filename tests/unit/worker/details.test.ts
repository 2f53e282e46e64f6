import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { systemClock } from '../../../src/base/clock.js';
import { readAnalysis } from '../../../src/girder/protocol/read-analysis.js';
import type { RunStore } from '../../../src/worker/run-state/run-store.js';
import type { PlannedJob } from '../../../src/worker/job-request/plan.js';
import { runDetail } from '../../../src/worker/views/run-detail.js';
import { runFilesOf } from '../../../src/worker/reporting/run-files.js';
import { commandLines } from '../../../src/worker/views/command-lines.js';
import { applyEvent, beginRun, type Run, type RunEvent } from '../../../src/worker/run-state/run.js';
import { historyRow } from '../../../src/worker/views/history.js';
import { describeImage, watchImages } from '../../../src/worker/views/images.js';
import { createPolledWatch } from '../../../src/worker/views/watch.js';
import { fakeRun } from '../../support/fake-worker-handle.js';
import { someSettings } from '../../support/settings.js';
import { someTask } from '../../support/tasks.js';
import { fixtureTask } from '../girder/fixtures.js';

const submission = {
  key: 'k',
  logFile: '/logs/k.log',
  exitRecord: '/e',
  at: 3_000,
  lines: { sbatch: ['sbatch', 'x'], container: ['apptainer', 'exec'] },
};
const end = {
  outcome: 'failed' as const,
  state: { base: 'FAILED', flags: [] },
  exitCode: { code: 3, signal: 0 },
  reason: 'NonZeroExitCode',
  toldBy: 'squeue' as const,
};

function aRun(...events: RunEvent[]): Run {
  const first = { type: 'accepted' as const, at: 1_000, task: someTask(), refusal: null };
  return events.reduce(applyEvent, beginRun(first));
}

const requeued: RunEvent[] = [
  { type: 'staging', at: 2_000 },
  { type: 'submitting', at: 3_000, submission },
  { type: 'submitted', at: 3_500, jobId: '7' },
  { type: 'started', at: 4_000 },
  { type: 'waiting', at: 6_000, reason: 'BeginTime' },
  { type: 'started', at: 9_000 },
  { type: 'job-ended', at: 10_000, end },
  { type: 'decided', at: 10_100, outcome: 'failed', reason: 'no' },
  { type: 'finished', at: 10_500, told: true },
];

describe('the timeline of a run', () => {
  test('has each stage with its time, a requeue too', () => {
    const { timeline, end, sbatch, logFile } = runDetail(aRun(...requeued), fakeRun({ id: 'r' }), 99_000);
    expect(timeline.map(({ stage, ms }) => `${stage} ${ms}`)).toEqual([
      'accepted 1000',
      'staging 1000',
      'submitting 500',
      'queued 500',
      'running 2000',
      'queued 3000',
      'running 1000',
      'collecting 500',
      'finished 0',
    ]);
    expect(end).toBe('FAILED, exit code 3, NonZeroExitCode, according to squeue');
    expect({ sbatch, logFile }).toEqual({ sbatch: ['sbatch', 'x'], logFile: '/logs/k.log' });
  });

  test('of one that is under way goes on', () => {
    const { timeline } = runDetail(aRun(...requeued.slice(0, 4)), fakeRun({ id: 'r' }), 5_000);
    expect(timeline.at(-1)).toEqual({ stage: 'running', at: 4_000, ms: 1_000 });
  });

  test('of one that is requeued for ever is bounded', () => {
    const often = Array.from({ length: 500 }, (_, index): RunEvent[] => [
      { type: 'started', at: 10_000 + index },
      { type: 'waiting', at: 10_000 + index, reason: null },
    ]).flat();
    expect(aRun(...requeued.slice(0, 3), ...often).stages).toHaveLength(40);
  });

  test('becomes the times of a finished run', () => {
    expect(historyRow(aRun(...requeued), fakeRun({ id: 'r' }))).toMatchObject({
      preparingMs: 2_500,
      waitingMs: 3_500,
      runningMs: 3_000,
      collectingMs: 500,
      totalMs: 9_500,
      jobState: 'FAILED',
      exitCode: 3,
    });
  });

  test('of an older journal is not known', () => {
    const run = { ...aRun(...requeued), stages: [] };
    expect(historyRow(run, fakeRun({ id: 'r' }))).toMatchObject({ waitingMs: null, totalMs: 9_500 });
  });
});

describe('what is shown of a task', () => {
  const { name, headers, body } = fixtureTask('g3.direct_docker_run.tiny_direct.json');
  const task = someTask({ name, headers, body });
  const analysis = readAnalysis(task);

  test('names its inputs, its outputs and its page in Girder', () => {
    const facts = runFilesOf(task, analysis);
    expect(facts.girderUrl).toMatch(/^https?:\/\/[^/]+\/#job\/[0-9a-f]{24}$/);
    expect(facts.inputs.length + facts.outputs.length).toBeGreaterThan(0);
    for (const { girderId } of [...facts.inputs, ...facts.outputs])
      expect(girderId).toMatch(/^[0-9a-f]{24}$/);
  });

  test('holds none of its tokens, on whatever line they stand', () => {
    const tokens = tokensIn([headers, analysis]);
    expect(tokens.length).toBeGreaterThan(0);
    const planned = {
      workingDirectory: '/',
      command: ['./entry', ...tokens, `--url=http://x?token=${tokens[0] ?? ''}`],
      exec: ['--pwd', '/', '/image.sif'],
      target: { name: '', isOwn: false },
      directories: [],
      argumentsFile: null,
      submission: { key: 'k', logFile: '/l', exitRecord: '/e', streams: {} },
      request: {
        logFile: '/l',
        directory: '/d',
        options: [['mem', '1G']],
        key: 'k',
        script: '/script',
        scriptArgs: ['/image.sif', './entry', ...tokens],
        env: {},
      },
    } satisfies PlannedJob;
    const lines = commandLines(task, analysis, planned, someSettings());
    expect(lines.container.slice(0, 4)).toEqual(['apptainer', 'exec', '--pwd', '/']);
    expect(lines.sbatch).toContain('--mem=1G');
    const shown = JSON.stringify([lines, runFilesOf(task, analysis)]);
    for (const token of tokens) expect(shown).not.toContain(token);
    // nobody calls sbatch where this host runs the jobs
    const here = commandLines(task, analysis, planned, someSettings({ 'worker.executor': 'local' }));
    expect(here).toEqual({ ...lines, sbatch: null });
  });
});

/** Values that are called tokens, wherever they are. */
function tokensIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const found = Object.entries(value).flatMap(([key, item]) =>
    /token/i.test(key) && typeof item === 'string' ? [item] : tokensIn(item),
  );
  return [...new Set(found)];
}

describe('a watch', () => {
  test('asks only while somebody listens, and keeps the last good answer', async () => {
    let questions = 0;
    const watch = createPolledWatch<{ value: number; at: number | null; problem: string | null }>({
      first: { value: 0, at: null, problem: null },
      async ask(last) {
        questions += 1;
        if (questions === 2) throw new Error('silent');
        return { ...last, value: questions, at: questions, problem: null };
      },
      everyMs: 1,
      clock: systemClock,
    });
    expect(questions).toBe(0);
    const seen: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = watch.listen(({ value, problem }) => {
      seen.push(`${value} ${problem}`);
      if (seen.length === 4) {
        stop();
        resolve();
      }
    });
    await promise;
    expect(seen).toEqual(['0 null', '1 null', '1 silent', '3 null']);
    await new Promise((done) => setTimeout(done, 20));
    expect(questions).toBe(3);
  });
});

describe('images', () => {
  test('are the SIF files of the directory, with the runs that use them', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'dsa-slurm-images-'));
    await writeFile(join(directory, 'example_small_v1.sif'), 'SIF');
    await writeFile(join(directory, 'notes.txt'), '');
    await mkdir(join(directory, 'directory.sif'));
    const run = aRun({ type: 'described', at: 1, description: { image: 'example/small:v1' } });
    const watch = watchImages(directory, { all: () => [run] } as unknown as RunStore, systemClock);
    const rows = await new Promise((resolve) => {
      watch.listen((view) => {
        if (view.at !== null) resolve(view.rows);
      });
    });
    watch.close();
    expect(rows).toEqual([
      { file: 'example_small_v1.sif', bytes: 3, modifiedAt: expect.any(Number), inUse: 1 },
    ]);
  });

  test('those beyond the limit are counted, which is not an error', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'dsa-slurm-images-'));
    for (const name of ['a', 'b', 'c']) await writeFile(join(directory, `${name}_v1.sif`), '');
    const watch = watchImages(directory, { all: () => [] } as unknown as RunStore, systemClock, 2);
    const view = await new Promise((resolve) => {
      watch.listen((one) => {
        if (one.at !== null) resolve(one);
      });
    });
    watch.close();
    expect(view).toMatchObject({
      rows: [{ file: 'a_v1.sif' }, { file: 'b_v1.sif' }],
      unlisted: 1,
      problem: null,
    });
  });

  test.each(['../secret.sif', '/etc/passwd', '.hidden.sif', 'a\0.sif'])(
    '%j is not the name of an image',
    async (file) => {
      const apptainer = {
        version: async () => null,
        inspect: async () => Promise.reject(new Error('it was asked')),
      };
      expect(await describeImage(file, '/images', apptainer)).toEqual({
        ok: false,
        message: 'That is not the name of an image file.',
      });
    },
  );
});
