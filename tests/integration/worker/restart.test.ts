import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';

import { runProgram } from '../../support/program.js';
import { expectStatus, openLab, status, type Lab } from '../../support/lab.js';
import { testSite } from '../../support/test-site.js';
import type { GirderJob } from '../../../src/sandbox/fake-girder/index.js';

let lab: Lab;

beforeEach(async () => {
  lab = await openLab();
});

afterEach(async () => {
  await lab.close();
});

async function stageOf(job: GirderJob, stage: string): Promise<void> {
  await lab.until(() =>
    lab.worker.handle.snapshot().runs.some((run) => run.girderJobId === job.id && run.stage === stage),
  );
}

function ticks(job: GirderJob): number[] {
  return [...job.log.join('').matchAll(/^tick (\d+)/gm)].map((match) => Number(match[1]));
}

describe('a worker that is restarted', () => {
  test('resumes its running job: one Slurm job, the whole log once, the right outcome', async () => {
    const goOn = await lab.girder.addFile(lab.girder.rootFolderId, 'x', Buffer.from('x'));
    const gate = join(lab.dir, 'gate');
    await writeFile(gate, 'bound into the container');
    const results = lab.girder.addFolder(lab.girder.rootFolderId, 'results');
    const published = await lab.publish({
      args: [
        'Wait',
        '/mnt/never',
        { file: goOn.id, name: 'x' },
        { output: 'o', toFolder: results.id, mustExist: false },
      ],
    });
    await stageOf(published, 'running');
    await lab.until(() => ticks(lab.girder.job(published.id) ?? published).length > 5);
    await lab.worker.stop();
    const before = ticks(lab.girder.job(published.id) ?? published).length;
    await lab.startWorker();
    await lab.until(() => ticks(lab.girder.job(published.id) ?? published).length > before + 5);
    await lab.girder.cancel(published.id);
    const job = await lab.ended(published);
    expectStatus(job, status.canceled);
    const seen = ticks(job);
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => index + 1));
    const listed = await lab.command('squeue', ['--noheader', '--states=all', '--format=%j']);
    const run = lab.worker.handle.snapshot().runs.find(({ girderJobId }) => girderJobId === published.id);
    const jobs =
      listed.kind === 'exited'
        ? listed.stdout.split('\n').filter((name) => name.includes(run?.id ?? '?'))
        : [];
    expect(jobs).toHaveLength(1);
  });

  test('finds a job that ended meanwhile, and uploads its outputs', async () => {
    const input = await lab.girder.addFile(lab.girder.rootFolderId, 'x', Buffer.from('content'));
    const results = lab.girder.addFolder(lab.girder.rootFolderId, 'results');
    const published = await lab.publish({
      args: ['Copy', { file: input.id, name: 'x' }, { output: 'o', toFolder: results.id }],
    });
    await lab.until(() => lab.worker.handle.snapshot().runs.some(({ jobId }) => jobId !== null));
    await lab.worker.stop();
    const ended = async (): Promise<boolean> => {
      const queue = await lab.command('squeue', ['--noheader', '--format=%i']);
      return queue.kind === 'exited' && queue.stdout.trim() === '';
    };
    await lab.until(ended);
    await lab.startWorker();
    expectStatus(await lab.ended(published), status.success);
    expect(await lab.text(results.id, 'o')).toBe('content');
  });

  test('looks up a submission whose answer it never read, instead of submitting again', async () => {
    const published = await lab.publish({ args: ['Wait', '/never'] });
    await stageOf(published, 'running');
    await lab.worker.stop();
    // as if the worker had died between sbatch and the journal
    const path = join(lab.settings.dirs.state, 'journal.jsonl');
    const lines = (await readFile(path, 'utf8')).split('\n');
    const cut = lines.findIndex((line) => line.includes('"submitted"'));
    expect(cut).toBeGreaterThan(0);
    await writeFile(path, `${lines.slice(0, cut).join('\n')}\n`);
    await lab.startWorker();
    await stageOf(published, 'running');
    await lab.girder.cancel(published.id);
    expectStatus(await lab.ended(published), status.canceled);
    const queue = await lab.command('squeue', ['--noheader', '--states=all', '--format=%j %T']);
    const id = lab.worker.handle.snapshot().runs[0]?.id ?? '?';
    expect(
      queue.kind === 'exited' && queue.stdout.split('\n').filter((line) => line.includes(id)),
    ).toHaveLength(1);
  });

  test('a second worker on the same state directory is refused with the process id of the first', async () => {
    await expect(lab.startWorker()).rejects.toThrow(/A worker already runs for this profile: process \d+/);
  });

  test('a torn journal does not prevent a start', async () => {
    await lab.worker.stop();
    await appendFile(join(lab.settings.dirs.state, 'journal.jsonl'), '{"run":"x","event":{"ty');
    await lab.startWorker();
    expectStatus(await lab.ended(await lab.publish({ args: ['Wait', '/etc/hostname'] })), status.success);
  });
});

describe('while other services are down', () => {
  test('Girder: pending reports are sent when it is back', async () => {
    const published = await lab.publish({ args: ['Wait', '/never'] });
    await lab.until(() => ticks(lab.girder.job(published.id) ?? published).length > 2);
    const answer = {
      kind: 'answer' as const,
      status: 502,
      contentType: 'text/html',
      body: '<html>bad gateway</html>',
    };
    lab.girder.fail(() => answer);
    await lab.until(() => lab.worker.handle.snapshot().health.problem !== null);
    const jobId = lab.worker.handle.snapshot().runs[0]?.jobId ?? '';
    await lab.command('scancel', [jobId]);
    await lab.until(() => lab.worker.handle.snapshot().runs.some(({ outcome }) => outcome === 'canceled'));
    expect(lab.girder.job(published.id)?.status).toBe(status.running);
    lab.girder.fail();
    const job = await lab.ended(published);
    expectStatus(job, status.canceled);
    const seen = ticks(job);
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => index + 1));
    await lab.until(() => lab.worker.handle.snapshot().health.problem === null);
  });
});

describe('a worker whose journal was emptied', () => {
  test('reports the job that it left running, which can then be canceled', async () => {
    const published = await lab.publish({ args: ['Wait', '/mnt/never'] });
    await stageOf(published, 'running');
    const jobId = lab.worker.handle.snapshot().runs[0]?.jobId ?? '';
    await lab.worker.stop();
    const journal = join(lab.settings.dirs.state, 'journal.jsonl');
    await writeFile(journal, '');
    await lab.startWorker();
    const { handle } = lab.worker;
    await lab.until(() =>
      handle.snapshot().health.problem?.includes(`no result will reach Girder: ${jobId}`),
    );
    expect(await handle.act({ kind: 'cancel', runs: [], jobs: [jobId] })).toMatchObject({ ok: true });
    await lab.until(() => handle.snapshot().health.problem === null);
    const aside = (await readdir(lab.settings.dirs.state)).filter((name) => name.includes('damaged-'));
    expect(aside).toHaveLength(1);
  });
});

/** Flips a bit of the message in the journal while no worker runs, and starts one. */
async function flipBit(): Promise<void> {
  await stopAndFlipBit();
  await lab.startWorker();
}

async function stopAndFlipBit(): Promise<void> {
  await lab.worker.stop();
  const journal = join(lab.settings.dirs.state, 'journal.jsonl');
  const text = await readFile(journal, 'utf8');
  const damaged = text.replace('"queue":"lab-', '"queue":"mab-');
  expect(damaged).not.toBe(text);
  await writeFile(journal, damaged);
}

async function startWaiting(): Promise<{ published: GirderJob; jobId: string }> {
  const input = await lab.girder.addFile(lab.girder.rootFolderId, 'x', Buffer.from('content'));
  const results = lab.girder.addFolder(lab.girder.rootFolderId, 'results');
  const published = await lab.publish({
    args: [
      'Wait',
      '/mnt/never',
      { file: input.id, name: 'x' },
      { output: 'o', toFolder: results.id, mustExist: false },
    ],
  });
  await stageOf(published, 'running');
  const jobId = lab.worker.handle.snapshot().runs[0]?.jobId ?? '';
  return { published, jobId };
}

async function isOrphan(jobId: string): Promise<void> {
  await lab.until(() => lab.worker.handle.snapshot().health.problem?.includes(`reach Girder: ${jobId}`));
}

/** A command of an operator on this site. */
async function program(...args: string[]): ReturnType<typeof runProgram> {
  return runProgram([...args, '--set', `dirs.state=${lab.settings.dirs.state}`], {
    PATH: process.env['PATH'],
    HOME: lab.dir,
    SLURM_CONF: testSite().slurmConf,
  });
}

describe('a worker whose journal was damaged', () => {
  test('follows its job again once the job is adopted, across another restart too', async () => {
    const { published, jobId } = await startWaiting();
    await flipBit();
    await isOrphan(jobId);
    expect(lab.worker.handle.snapshot().runs).toHaveLength(0);
    expect(await lab.worker.handle.act({ kind: 'adopt', runs: [], jobs: [jobId] })).toMatchObject({
      ok: true,
    });
    const before = ticks(lab.girder.job(published.id) ?? published).length;
    await lab.until(() => ticks(lab.girder.job(published.id) ?? published).length > before + 5);
    await lab.worker.stop();
    await lab.startWorker();
    await lab.until(() => lab.worker.handle.snapshot().runs.some((run) => run.jobId === jobId));
    await lab.girder.cancel(published.id);
    expectStatus(await lab.ended(published), status.canceled);
    await lab.until(() => lab.worker.handle.snapshot().health.problem === null);
  });

  test('adopts its job while no worker runs: the next one follows it', async () => {
    const { published, jobId } = await startWaiting();
    await stopAndFlipBit();
    const listed = await program('runs', 'list', '--json');
    expect(JSON.parse(listed.stdout)).toMatchObject({
      source: 'journal',
      orphans: [{ jobId, state: 'RUNNING' }],
      orphansUnknown: null,
    });
    const adopted = await program('runs', 'adopt', jobId);
    expect(adopted).toMatchObject({ code: 0 });
    expect(adopted.stdout).toContain(`Job ${jobId} belongs to run `);
    expect(await program('runs', 'adopt', jobId)).toMatchObject({ code: 1 });
    await lab.startWorker();
    await lab.until(() => lab.worker.handle.snapshot().runs.some((run) => run.jobId === jobId));
    await lab.girder.cancel(published.id);
    expectStatus(await lab.ended(published), status.canceled);
  });

  test('cancels its job while no worker runs: the next one reports it to Girder', async () => {
    const { published, jobId } = await startWaiting();
    await stopAndFlipBit();
    const canceled = await program('runs', 'cancel', jobId);
    expect(canceled).toMatchObject({ code: 0 });
    expect(canceled.stdout).toContain('its cancellation is reported to Girder');
    expect(await program('runs', 'cancel', '99999999')).toMatchObject({ code: 1 });
    await lab.startWorker();
    expectStatus(await lab.ended(published), status.canceled);
  });

  test('sets the Girder job to CANCELED when such a job is canceled', async () => {
    const { published, jobId } = await startWaiting();
    await flipBit();
    await isOrphan(jobId);
    const env = { PATH: process.env['PATH'], HOME: lab.dir };
    const place = ['--set', `dirs.state=${lab.settings.dirs.state}`];
    const listed = await runProgram(['runs', 'list', ...place], env);
    expect(listed.stderr).toContain(`1 Slurm job belongs to no run of this worker`);
    const canceled = await runProgram(['runs', 'cancel', jobId, ...place], env);
    expect(canceled).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('its cancellation is reported to Girder'),
    });
    expectStatus(await lab.ended(published), status.canceled);
  });
});

describe('a job id of another user in the output of sbatch', () => {
  test('does not end the run: its job is found by its name', async () => {
    const { stdout } = (await lab.command('sbatch', [
      '--parsable',
      '--output=/dev/null',
      '--wrap=sleep 600',
    ])) as { stdout: string };
    const other = stdout.trim();
    onTestFinished(async () => void (await lab.command('scancel', [other])));
    const { stdout: sbatch } = (await lab.command('which', ['sbatch'])) as { stdout: string };
    await mkdir(lab.bin, { recursive: true });
    const wrapper = `#!/bin/sh\n${sbatch.trim()} "$@" >/dev/null\necho ${other}\n`;
    await writeFile(join(lab.bin, 'sbatch'), wrapper, { mode: 0o755 });
    const published = await lab.publish({ args: ['Clock', '1'] });
    expectStatus(await lab.ended(published, 150_000), status.success);
    expect(lab.worker.handle.snapshot().runs[0]?.jobId).not.toBe(other);
    const states = (await lab.command('squeue', ['--noheader', `--jobs=${other}`, '--format=%T'])) as {
      stdout: string;
    };
    expect(states.stdout.trim()).toBe('RUNNING');
  }, 180_000);
});
