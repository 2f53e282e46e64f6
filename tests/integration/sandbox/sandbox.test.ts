import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runSandbox } from '../../../src/sandbox/index.js';

let parent: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'dsa-sandbox-'));
});

afterEach(() => rm(parent, { recursive: true, force: true }));

function collector() {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk.toString('utf8'));
      done();
    },
  });
  return { stream, text: () => chunks.join('') };
}

const options = { keep: false, console: false, json: true, env: process.env };

test('a batch with every spelling, a failure and a cancel ends as planned and leaves nothing', async () => {
  const [stdout, stderr] = [collector(), collector()];
  const code = await runSandbox({
    ...options,
    count: 6,
    dir: join(parent, 'site'),
    stdout: stdout.stream,
    stderr: stderr.stream,
  });
  const result = JSON.parse(stdout.text()) as { ok: boolean; runs: { problems: string[]; task: string }[] };
  expect(result.runs.flatMap((run) => run.problems)).toEqual([]);
  expect(result).toMatchObject({ ok: true });
  expect(new Set(result.runs.map((run) => run.task)).size).toBe(4);
  expect(result.runs).toMatchObject([
    { outcome: 'succeeded' },
    { outcome: 'succeeded' },
    { outcome: 'succeeded' },
    { outcome: 'succeeded' },
    { outcome: 'failed', slurmState: 'FAILED' },
    { outcome: 'canceled', slurmState: 'CANCELLED' },
  ]);
  expect(code).toBe(0);
  expect(await readdir(parent)).toEqual([]);
});

test('an abort stops everything', async () => {
  const stop = new AbortController();
  const [stdout, stderr] = [collector(), collector()];
  const pending = runSandbox({
    ...options,
    count: 4,
    dir: join(parent, 'site'),
    stdout: stdout.stream,
    stderr: stderr.stream,
    signal: stop.signal,
  });
  await expect.poll(() => stderr.text(), { timeout: 60_000 }).toMatch(/running/);
  stop.abort();
  expect(await pending).toBe(130);
  expect(await readdir(parent)).toEqual([]);
});

test('a directory that is not empty is refused and not changed', async () => {
  const { stream } = collector();
  const existing = await mkdtemp(join(parent, 'mine-'));
  await expect(
    runSandbox({ ...options, count: 1, dir: parent, stdout: stream, stderr: stream }),
  ).rejects.toMatchObject({ code: 'usage' });
  expect(await readdir(parent)).toEqual([existing.slice(parent.length + 1)]);
});
