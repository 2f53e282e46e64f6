import { randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { connect } from '../../../src/celery/amqp/amqplib.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { writeFakeImage } from '../../../src/sandbox/images.js';
import type { GirderJob } from '../../../src/sandbox/fake-girder/index.js';
import { expectStatus, openLab, status, statuses, type Lab } from '../../support/lab.js';
import { testImage } from '../../support/test-image.js';
import { testSite } from '../../support/test-site.js';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
  const images = lab.settings.dirs.images ?? '';
  await writeFakeImage(join(images, 'test_silent_v1.sif'), { ...testImage, labels: {}, config: {} });
  await writeFile(join(images, 'test_broken_v1.sif'), 'not an image');
});

afterAll(async () => {
  await lab.close();
});

async function failed(publish: Promise<GirderJob>): Promise<string> {
  const job = await lab.ended(await publish);
  expectStatus(job, status.error);
  return job.log.join('');
}

/** Publishes a message that Girder would never publish, for an existing Girder job. */
async function publishRaw(
  body: Buffer | string,
  over: { contentType?: string; headers?: Record<string, unknown>; task?: string } = {},
): Promise<GirderJob> {
  const id = randomUUID();
  const job = lab.girder.createJob({ title: 'raw', type: 'raw', celeryTaskId: id });
  const connection = await connect(testSite().amqpUrl);
  const channel = await connection.createConfirmChannel();
  channel.sendToQueue(lab.settings.broker.queues[0] ?? '', Buffer.from(body), {
    contentType: over.contentType ?? 'application/json',
    contentEncoding: 'utf-8',
    correlationId: id,
    headers: {
      lang: 'py',
      task: over.task ?? 'slicer_cli_web.girder_worker_plugin.direct_docker_run.run',
      id,
      jobInfoSpec: lab.girder.jobInfoSpec(job),
      ...over.headers,
    },
  });
  await channel.waitForConfirms();
  await connection.close();
  return job;
}

const callEmbed = '{"callbacks": null, "errbacks": null, "chain": null, "chord": null}';

describe.concurrent('a failure has a reason in the log:', () => {
  test('an analysis that exits with an error', async () => {
    const log = await failed(lab.publish({ args: ['Fail'] }));
    expect(log).toContain('The analysis ended with an error');
    expect(log).toMatch(/Slurm job \d+, state FAILED.*exit code 3/);
    expect(log).toContain('the slide has no tissue');
    // not a problem of the worker, but its log gives the reason
    const finished = /"level":30,.*"why":"The analysis ended with an error[^"]*","msg":"finished"/;
    await lab.until(async () => finished.test(await readFile(join(lab.dir, 'worker.log'), 'utf8')));
  });

  test('an analysis that is killed', async () => {
    expect(await failed(lab.publish({ args: ['Killed'] }))).toMatch(/state FAILED.*(exit code 137|signal 9)/);
  });

  test('a required output that is missing', async () => {
    const results = lab.girder.addFolder(lab.girder.rootFolderId, 'no results');
    const log = await failed(
      lab.publish({
        args: ['Wait', '/etc/hostname', { output: 'missing.csv', toFolder: results.id, mustExist: true }],
      }),
    );
    expect(log).toContain('missing.csv');
  });

  test('a missing image, an invalid one, and a command that its image does not contain', async () => {
    expect(await failed(lab.publish({ image: 'test/absent:v9', args: ['x'] }))).toMatch(
      /test_absent_v9\.sif/,
    );
    expect(await failed(lab.publish({ image: 'test/broken:v1', args: ['x'] }))).toMatch(
      /test\/broken:v1|test_broken_v1/,
    );
    // without an entry point the first argument is the command, as in Docker
    expect(await failed(lab.publish({ image: 'test/silent:v1', args: ['x'] }))).toMatch(
      /execute x: No such file.*exit code 127/s,
    );
  });

  test('an input that does not exist in Girder', async () => {
    const missing = { file: 'f'.repeat(24), name: 'x' };
    expect(await failed(lab.publish({ args: ['Copy', missing, { output: 'o' }] }))).not.toBe('');
  });

  test('a partition that does not exist in Slurm', async () => {
    const log = await failed(
      lab.publish({ args: ['Wait', '/etc/hostname', '--slurm_partition', 'nowhere'] }),
    );
    expect(log).toMatch(/Slurm did not accept the job: .*partition/i);
  });

  test('an output path outside of its directory', async () => {
    const results = lab.girder.addFolder(lab.girder.rootFolderId, 'stray');
    expect(
      await failed(
        lab.publish({ args: ['Wait', '/etc/hostname', { output: '../../../etc/x', toFolder: results.id }] }),
      ),
    ).toContain('outside the directory');
  });

  test('an unknown task ends its Girder job with legal status changes', async () => {
    const published = await publishRaw(`[[], {}, ${callEmbed}]`, { task: 'girder_worker.run' });
    const job = await lab.ended(published);
    expectStatus(job, status.error);
    expect(statuses(job).slice(0, -1)).toHaveLength(1);
    expect(job.log.join('')).toContain('girder_worker.run');
  });

  test.each([
    ['a body that is not JSON', '{"py/tuple": [', {}],
    [
      'pickle',
      Buffer.from('gASVBgAAAAAAAABdlC4=', 'base64'),
      { contentType: 'application/x-python-serialize' },
    ],
    ['a body of the wrong shape', '"hello"', {}],
    [
      'an unknown class as an argument',
      `[[], {"image": "test/image:v1", "container_args": [{"py/object": "os.system"}]}, ${callEmbed}]`,
      {},
    ],
    [
      'a Python repr',
      `[[], {"image": {"py/repr": "os/os.system('x')"}, "container_args": []}, ${callEmbed}]`,
      {},
    ],
  ])('%s', async (_, body, over) => {
    const job = await lab.ended(await publishRaw(body, over));
    expectStatus(job, status.error);
    expect(job.log.join('').length).toBeGreaterThan(20);
  });

  test('a hostile task id is refused, and its Girder job shows why', async () => {
    const job = await publishRaw(`[[], {}, ${callEmbed}]`, { headers: { id: '../../../tmp/x' } });
    // no run can have this id, so only the log shows that it was refused
    await lab.until(
      async () =>
        (await lab.command('grep', ['-c', 'refused a message', join(lab.dir, 'worker.log')])).kind ===
        'exited',
    );
    expect(lab.girder.job(job.id)).toBeDefined();
  });

  test('meanwhile other runs succeed', async () => {
    expectStatus(await lab.ended(await lab.publish({ args: ['Wait', '/etc/hostname'] })), status.success);
  });
});

test('afterwards the directory for temporary files is empty', async () => {
  await lab.until(() => lab.worker.handle.snapshot().health.inFlight === 0);
  expect(await readdir(lab.settings.dirs.tmp)).toEqual([]);
});
