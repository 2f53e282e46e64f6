import { access, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openCancelBench, type CancelBench } from '../../support/cancel-bench.js';
import { openLab, status, statuses, type Lab } from '../../support/lab.js';
import type { Fault } from '../../../src/sandbox/fake-girder/index.js';

let lab: Lab;
let bench: CancelBench;

beforeAll(async () => {
  lab = await openLab();
  bench = await openCancelBench(lab);
});

afterAll(async () => {
  lab.girder.fail();
  await bench.close();
  await lab.close();
});

/** An input whose download has this fault. */
async function badInput(name: string, fault: Fault): Promise<{ file: string; name: string }> {
  const { id } = await lab.girder.addFile(lab.girder.rootFolderId, name, Buffer.from('x'.repeat(4_096)));
  lab.girder.fail((_, path) => (path.startsWith(`file/${id}/download`) ? fault : undefined));
  return { file: id, name };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** A wrapper of sbatch that blocks on a file, before or after it calls the real one. */
async function holdSbatch(
  whenHeld: 'before' | 'after',
): Promise<{ called: string; goOn: () => Promise<void> }> {
  const [called, gate] = [join(lab.dir, `${whenHeld}.called`), join(lab.dir, `${whenHeld}.gate`)];
  const real = '"$(command -v sbatch)"';
  const hold = `: >'${called}'; while [ ! -e '${gate}' ]; do sleep 0.05; done`;
  const path = `PATH=\${PATH#'${lab.bin}':}`;
  const script =
    whenHeld === 'before'
      ? `#!/bin/sh\n${path}\n${hold}\nexec ${real} "$@"\n`
      : `#!/bin/sh\n${path}\nsaid=$(${real} "$@") || exit\n${hold}\necho "$said"\n`;
  await writeFile(join(lab.bin, 'sbatch'), script, { mode: 0o755 });
  return { called, goOn: async () => writeFile(gate, '') };
}

describe('a cancel before there is a job', () => {
  test('while Girder refuses the input', async () => {
    const input = await badInput('refused', {
      kind: 'answer',
      status: 503,
      contentType: 'text/plain',
      body: '',
    });
    const published = await bench.publish(['Copy', input]);
    await bench.runOf(published, ({ stage }) => stage === 'staging');
    await lab.girder.cancel(published.girderJob.id);
    const job = await bench.expectCanceled(published);
    expect(statuses(job)).toEqual([status.running, status.canceling, status.canceled]);
    expect(await bench.jobsOf(published)).toEqual([]);
  });

  test('in the middle of a download: the partial file is removed', async () => {
    const input = await badInput('half', { kind: 'hold', begun: { length: 4_096, bytes: 'half' } });
    const published = await bench.publish(['Copy', input]);
    const own = join(lab.settings.dirs.tmp, `dsa-slurm-${published.id}`);
    await lab.until(async () => {
      const staged = await readdir(own, { recursive: true }).catch(() => []);
      const part = staged.find((name) => name.endsWith('.part'));
      return part !== undefined && (await stat(join(own, part))).size > 0;
    });
    await lab.girder.cancel(published.girderJob.id);
    await bench.expectCanceled(published);
    expect(await bench.jobsOf(published)).toEqual([]);
  });

  test('after the worker was stopped in the middle of a download', async () => {
    const input = await badInput('ended', { kind: 'hold', begun: { length: 4_096, bytes: 'half' } });
    const published = await bench.publish(['Copy', input]);
    await bench.runOf(published, ({ stage }) => stage === 'staging');
    await lab.worker.stop();
    // as left by a killed worker
    const own = join(lab.settings.dirs.tmp, `dsa-slurm-${published.id}`);
    await writeFile(own, 'left behind');
    await lab.girder.cancel(published.girderJob.id);
    lab.girder.fail();
    await lab.startWorker();
    await bench.expectCanceled(published);
    expect(await bench.jobsOf(published)).toEqual([]);
  });

  test('while it waits for its eta: Girder never shows RUNNING', async () => {
    const eta = new Date(Date.now() + 3_600_000).toISOString();
    const published = await bench.publish(['Wait', '/never'], {}, { eta });
    await bench.runOf(published, ({ stage }) => stage === 'accepted');
    await lab.girder.cancel(published.girderJob.id);
    expect(statuses(await bench.expectCanceled(published))).toEqual([status.canceled]);
    expect(await bench.jobsOf(published)).toEqual([]);
  });

  test.each(['before', 'after'] as const)(
    'between the call of sbatch and its answer, %s Slurm has the job',
    async (whenHeld) => {
      const { called, goOn } = await holdSbatch(whenHeld);
      const published = await bench.publish(['Wait', '/never']);
      await lab.until(async () => exists(called));
      await lab.girder.cancel(published.girderJob.id);
      await bench.runOf(published, ({ cancelRequested }) => cancelRequested);
      await goOn();
      await bench.expectCanceled(published);
      expect(await bench.jobsOf(published)).toEqual([expect.stringMatching(/ CANCELLED$/)]);
    },
  );
});
