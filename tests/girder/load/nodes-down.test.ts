// Not in the gate: npm run test:girder -- --load [--girder 3]
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openRig, status, type Job, type Rig } from '../support/rig.js';

let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
});

afterEach(resumeNodes);

afterAll(async () => {
  await rig.close();
});

const slides = 30;

/** A job as `squeue` shows it: its number and its state. */
async function slurmJobs(): Promise<string[]> {
  const answer = await rig.command('squeue', ['--noheader', '--format=%i %T']);
  if (answer.kind !== 'exited' || answer.exitCode !== 0) throw new Error(JSON.stringify(answer));
  return answer.stdout.split('\n').filter((line) => line.trim() !== '');
}

async function nodes(): Promise<{ name: string; state: string }[]> {
  const answer = await rig.command('sinfo', ['--noheader', '--Node', '--format=%N %T']);
  if (answer.kind !== 'exited' || answer.exitCode !== 0) throw new Error(JSON.stringify(answer));
  const lines = new Set(answer.stdout.split('\n').filter((line) => line.trim() !== ''));
  return Array.from(lines, (line) => {
    const [name = '', state = ''] = line.trim().split(/\s+/);
    return { name, state };
  });
}

/** Takes each node down repeatedly: a node that registers returns to service automatically (`ReturnToService=2`). */
async function keepNodesDown(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const { name } of await nodes())
      await rig.command('scontrol', ['update', `NodeName=${name}`, 'State=DOWN', 'Reason=test']);
    await delay(2_000, undefined, { signal }).catch(() => undefined);
  }
}

/** Slurm refuses this for a node that is idle already, which is fine. */
async function resumeNodes(): Promise<void> {
  for (const { name } of await nodes())
    await rig.command('scontrol', ['update', `NodeName=${name}`, 'State=RESUME']);
}

/** The jobs that the batch has started in Girder. */
async function analyses(batch: Job): Promise<Job[]> {
  const jobs = await rig.admin.call<Job[]>('GET', 'job/all', { params: { limit: 0 } });
  return jobs.filter(({ _id, title }) => _id !== batch._id && title.startsWith('Wait'));
}

const ended = (jobs: readonly Job[]): number => jobs.filter((job) => job.status === status.success).length;

test(`a batch of ${slides} continues after every node of Slurm was DOWN for a minute`, async () => {
  const [input, folder] = [await rig.folder('slides'), await rig.folder('results')];
  for (let number = 1; number <= slides; number += 1)
    await rig.user.upload(input, `slide ${number}.tiff`, `content ${number}`);
  const batch = await rig.run('Wait', {
    input: 'slide.*tiff',
    input_folder: input,
    output: '{{parameter_input_base}}.txt',
    output_folder: folder,
    lines: 80,
    gate: '',
  });
  // some have ended, others run, others are still to be published
  await rig.until(async () => ended(await analyses(batch)) >= 2, 120_000);

  const down = new AbortController();
  const keeping = keepNodesDown(down.signal);
  await rig.until(async () => (await nodes()).every(({ state }) => state.startsWith('down')));
  await rig.until(async () => (await slurmJobs()).every((line) => !line.endsWith(' RUNNING')));
  await delay(60_000);
  const during = await analyses(batch);
  down.abort();
  await keeping;
  await resumeNodes();

  // the outage was in the middle: a minute of it has not let the batch end
  expect(ended(during)).toBeLessThan(slides);
  expect(during.filter((job) => job.status === status.error)).toEqual([]);
  expect((await rig.ended(batch, 300_000)).status).toBe(status.success);
  const all = await rig.until(async () => {
    const jobs = await analyses(batch);
    return jobs.length === slides && jobs.every(({ status: now }) => now > status.running) ? jobs : null;
  }, 300_000);
  expect(all.filter((job) => job.status !== status.success)).toEqual([]);
  const results = await rig.files(folder);
  const names = Array.from({ length: slides }, (_, index) => `slide ${index + 1}.txt`);
  expect(results).toEqual(Object.fromEntries(names.map((name) => [name, '80 lines'])));
  expect(await slurmJobs()).toEqual([]);
}, 900_000);
