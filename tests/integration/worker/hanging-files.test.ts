import { stat, writeFile } from 'node:fs/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { GirderJob } from '../../../src/sandbox/fake-girder/index.js';
import { hangDirectory } from '../../support/hanging-directory.js';
import { expectStatus, openLab, status, type Lab } from '../../support/lab.js';

let lab: Lab;
let gates: string;

beforeAll(async () => {
  gates = await mkdtemp(join(tmpdir(), 'dsa-gates-'));
  lab = await openLab({ 'apptainer.options': [`--bind=${gates}`] }, { ownProducer: true });
});

afterAll(async () => {
  await lab.close();
  await rm(gates, { recursive: true, force: true });
});

function ticks({ id }: GirderJob): number[] {
  const log = lab.girder.job(id)?.log.join('') ?? '';
  return [...log.matchAll(/^tick (\d+)$/gm)].map((match) => Number(match[1]));
}

test('a file system that hangs stalls only what needs it, and is reported', async ({ skip }) => {
  const gate = join(gates, 'gate');
  // more of them than Node.js has threads for file operations
  const published = await Promise.all(
    Array.from({ length: 6 }, async () => lab.publish({ args: ['Wait', gate] })),
  );
  await lab.until(() => published.every((job) => ticks(job).length > 2), 60_000);

  const letGo = await hangDirectory(lab.settings.dirs.logs ?? '');
  if (letGo === null) skip('this user may not mount');
  try {
    const { handle } = lab.worker;
    await lab.until(() => handle.snapshot().health.problem?.includes('has not answered for'));
    expect(handle.snapshot().health.problem).toContain(lab.settings.dirs.logs);
    // other files, including the journal, still work: a task is accepted, and its cancel recorded
    expect((await stat('/')).isDirectory()).toBe(true);
    const late = await lab.publish({ args: ['Wait', gate] });
    const run = await lab.until(() =>
      handle.snapshot().runs.find(({ girderJobId }) => girderJobId === late.id),
    );
    await handle.act({ kind: 'cancel', runs: [run.id], jobs: [] });
    await lab.until(() => handle.snapshot().runs.find(({ id }) => id === run.id)?.cancelRequested);
    // Slurm is still polled
    const before = handle.snapshot().jobs.at ?? 0;
    await lab.until(() => (handle.snapshot().jobs.at ?? 0) > before + 1_500);
    published.push(late);
  } finally {
    await letGo?.();
  }

  await lab.until(() => lab.worker.handle.snapshot().health.problem === null);
  const late = published.pop();
  if (late !== undefined) expectStatus(await lab.ended(late), status.canceled);
  await writeFile(gate, '');
  for (const job of published) {
    expectStatus(await lab.ended(job), status.success);
    const seen = ticks(job);
    expect(seen).toEqual(seen.map((_, index) => index + 1));
    const [, last] = /^ticks: (\d+)$/m.exec(lab.girder.job(job.id)?.log.join('') ?? '') ?? [];
    expect(seen).toHaveLength(Number(last));
  }
});
