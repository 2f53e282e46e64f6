import { execFile } from 'node:child_process';
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { ingestTask } from '../../../src/girder/protocol/task-names.js';
import type { GirderJob } from '../../../src/sandbox/fake-girder/index.js';
import { writeFakeImage } from '../../../src/sandbox/images.js';
import { expectStatus, openLab, status, statuses, type Lab } from '../../support/lab.js';
import { testImage } from '../../support/test-image.js';

let lab: Lab;

afterEach(async () => {
  await lab.close();
});

async function openWith(flags: Record<string, unknown> = {}): Promise<void> {
  lab = await openLab(flags);
  await writeFakeImage(join(lab.registry, 'lab_new_v1.sif'), {
    ...testImage,
    labels: { ...testImage.labels, 'org.who': 'us', description: 'A new one' },
  });
}

async function ingest(names: readonly string[], pull: string | null = null): Promise<GirderJob> {
  return lab.publishTask({
    name: ingestTask,
    title: 'Pulling and caching docker images',
    kwargs: {
      name_list: names,
      folder_id: lab.girder.rootFolderId,
      token: lab.girder.userToken,
      pull,
    },
  });
}

const imageFiles = async (): Promise<string[]> => (await readdir(lab.settings.dirs.images ?? '')).sort();
const child = (parentId: string, name: string): { id: string; meta: Record<string, unknown> } => {
  const found = lab.girder.folders(parentId).find((folder) => folder.name === name);
  return found ?? expect.fail(`no folder ${name}`);
};

describe('images that an administrator adds in Girder', () => {
  beforeEach(async () => openWith());

  test('are pulled, asked for their CLIs and registered; then analyses of them run', async () => {
    const job = await lab.ended(await ingest(['lab/new:v1']));
    expectStatus(job, status.success);
    expect(statuses(job)).toEqual([status.running, status.success]);
    expect(await imageFiles()).toEqual(['lab_new_v1.sif', 'test_image_v1.sif']);
    const folder = child(lab.girder.rootFolderId, 'lab/new');
    expect(folder.meta).toEqual({ slicerCLIType: 'image' });
    const tag = child(folder.id, 'v1');
    expect(tag.meta).toEqual({ entry_path: '/opt/test', org_who: 'us', digest: null, slicerCLIType: 'tag' });
    expect(lab.girder.items(tag.id).map(({ name, cli }) => [name, cli])).toEqual([
      ['Copy', { image: 'lab/new:v1', type: 'xml', spec: '<executable><title>Copy</title></executable>' }],
      ['Show', { image: 'lab/new:v1', type: 'json', spec: '{"title": "Show"}' }],
    ]);
    expect(job.progress).toMatchObject({ total: 1, current: 1 });
    expect(job.log.join('')).not.toContain(lab.girder.userToken);
    const run = await lab.ended(await lab.publish({ image: 'lab/new:v1', args: ['Fail'] }));
    expect(run.log.join('')).toContain('the slide has no tissue');
  });

  test('that fail are named with their reasons, and do not block the others', async () => {
    await writeFakeImage(join(lab.registry, 'lab_silent_v1.sif'), {
      ...testImage,
      files: { '/opt/test/docker-entrypoint.sh': { text: '#!/bin/sh\necho no list\n', executable: true } },
    });
    const job = await lab.ended(await ingest(['lab/none:v1', '-x', 'lab/silent:v1', 'lab/new:v1']));
    expectStatus(job, status.error);
    const log = job.log.join('');
    expect(log).toMatch(/Image lab\/none:v1 could not be pulled: .*manifest unknown/);
    expect(log).toContain('"-x" is not a valid name of a container image.');
    expect(log).toContain('The CLI list of image lab/silent:v1 is invalid: it is not JSON.');
    expect(log).toContain('Added lab/new:v1: Copy, Show');
    expect(job.progress).toMatchObject({ total: 4, current: 4, message: '1 of 4 added' });
    // an image that does not answer does not replace the old file
    expect(await imageFiles()).toEqual(['lab_new_v1.sif', 'test_image_v1.sif']);
    // the reason of a failed pull is in the final message, and not repeated from the runtime's output before it
    expect(log.match(/manifest unknown/g)).toHaveLength(1);
  });

  test('are not pulled again if they exist, unless requested', async () => {
    const before = await readFile(join(lab.settings.dirs.images ?? '', 'test_image_v1.sif'), 'utf8');
    expectStatus(await lab.ended(await ingest(['test/image:v1'])), status.success);
    const again = await lab.ended(await ingest(['test/image:v1'], 'true'));
    expectStatus(again, status.error);
    expectStatus(await lab.ended(await ingest(['test/image:v1'])), status.success);
    // the same CLIs as before, without duplicates
    const tag = child(child(lab.girder.rootFolderId, 'test/image').id, 'v1');
    expect(lab.girder.items(tag.id).map(({ name }) => name)).toEqual(['Copy', 'Show']);
    // the old file stays if the new one cannot be pulled
    expect(await readFile(join(lab.settings.dirs.images ?? '', 'test_image_v1.sif'), 'utf8')).toBe(before);
  });

  test.each(['-x', '../../etc/x:v1', 'a b:v1'])('the name %j does no harm', async (name) => {
    expectStatus(await lab.ended(await ingest([name])), status.error);
    expect(await imageFiles()).toEqual(['test_image_v1.sif']);
  });

  test('can be canceled during a pull, and restarted by the next worker', async () => {
    // a pull that blocks until something writes into the pipe
    const pipe = join(lab.registry, 'lab_slow_v1.sif');
    await promisify(execFile)('mkfifo', [pipe]);
    // partial files of other runs: of one that died long ago, and of one that may still be active
    const [dead, busy] = ['dead', 'busy'].map((run) => `.lab_old_v1.sif.${run}.1.part`);
    for (const name of [dead, busy]) await writeFile(join(lab.settings.dirs.images ?? '', name ?? ''), '');
    await utimes(join(lab.settings.dirs.images ?? '', dead ?? ''), 1, 1);
    const canceled = await ingest(['lab/slow:v1']);
    // the runtime's output is in Girder during the pull
    await lab.until(() =>
      (lab.girder.job(canceled.id)?.log.join('') ?? '').includes('Fetching docker://lab/slow'),
    );
    expect(await imageFiles()).not.toContain(dead);
    expect(await imageFiles()).toContain(busy);
    await rm(join(lab.settings.dirs.images ?? '', busy ?? ''));
    await lab.girder.cancel(canceled.id);
    expectStatus(await lab.ended(canceled), status.canceled);

    const resumed = await ingest(['lab/slow:v1']);
    await lab.until(() => (lab.girder.job(resumed.id)?.log.join('') ?? '').includes('Pulling lab/slow:v1'));
    await lab.worker.stop();
    await rm(pipe);
    await writeFakeImage(pipe, testImage);
    await lab.startWorker();
    expectStatus(await lab.ended(resumed), status.success);
    expect(await imageFiles()).toEqual(['lab_slow_v1.sif', 'test_image_v1.sif']);
  });
});

test('images can be pulled in a Slurm job', async () => {
  await openWith({ 'apptainer.pullOn': 'slurm', 'girder.runningMeans': 'started' });
  const job = await lab.ended(await ingest(['lab/new:v1']));
  expectStatus(job, status.success);
  // it does not wait in a queue, so it reports at once
  expect(statuses(job)).toEqual([1, status.running, status.success]);
  await lab.until(async () => {
    const jobs = await lab.command('squeue', [
      '--me',
      '--states=all',
      '--noheader',
      '--Format=Name:100,State:20',
    ]);
    return jobs.kind === 'exited' && /^dsa-slurm-ingest-\S+ +COMPLETED/m.test(jobs.stdout);
  });
});
