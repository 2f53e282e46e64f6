import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logOf, openRig, status, statusesOf, type Job, type Rig } from './support/rig.js';

let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
});

afterAll(async () => {
  await rig.close();
});

const cancel = (job: Job) => rig.user.call('PUT', `job/${job._id}/cancel`);

const hasLine = async (job: Job, line: string): Promise<boolean> => logOf(await rig.job(job)).includes(line);

/** Ids and states of the Slurm jobs that have not ended. */
async function going(job: Job): Promise<string[]> {
  const over = new Set(['COMPLETED', 'CANCELLED', 'FAILED', 'COMPLETING']);
  return (await rig.slurmJobs(job)).filter(({ state }) => !over.has(state)).map(({ id }) => id);
}

describe.concurrent('a run that is canceled', () => {
  test('while it runs: no output, and no job in Slurm', async ({ expect }) => {
    const { job, folder } = await rig.wait();
    await rig.until(async () => hasLine(job, 'line 3\n'));
    await cancel(job);
    const ended = await rig.ended(job);
    expect(statusesOf(ended)).toEqual([status.running, status.canceling, status.canceled]);
    await rig.until(async () => (await going(ended)).length === 0);
    expect(await rig.files(folder)).toEqual({});
  });

  test('by scancel on the cluster: the Girder log shows why', async ({ expect }) => {
    const { job } = await rig.wait();
    await rig.until(async () => hasLine(job, 'line 3\n'));
    const [slurmJob] = await rig.slurmJobs(await rig.job(job));
    await rig.command('scancel', [slurmJob?.id ?? '']);
    const ended = await rig.ended(job);
    expect(statusesOf(ended)).toEqual([status.running, status.canceled]);
    expect(logOf(ended)).toContain('CANCELLED');
  });

  test('by `dsa-slurm runs cancel`: the log says who canceled it', async ({ expect }) => {
    const { job } = await rig.wait();
    await rig.until(async () => hasLine(job, 'line 3\n'));
    const { celeryTaskId = '' } = await rig.job(job);
    const { code, stderr } = await rig.program('runs', 'cancel', celeryTaskId);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const ended = await rig.ended(job);
    expect(ended.status).toBe(status.canceled);
    expect(logOf(ended)).toMatch(/operator|administrator|runs cancel/i);
  });

  test('by deleting its job in Girder: the Slurm job is canceled', async ({ expect }) => {
    const { job, folder } = await rig.wait();
    await rig.until(async () => hasLine(job, 'line 3\n'));
    const before = await rig.job(job);
    await rig.user.call('DELETE', `job/${job._id}`);
    await rig.until(async () => (await going(before)).length === 0);
    expect(await rig.files(folder)).toEqual({});
  });
});

describe('a run that has not started', () => {
  test('is canceled while it waits in Slurm', async () => {
    await rig.partition('DOWN');
    try {
      const { job } = await rig.wait();
      await rig.until(async () => (await rig.slurmJobs(await rig.job(job))).length === 1);
      await cancel(job);
      const ended = await rig.ended(job);
      // the request that created the job saves it once more, and may save over Girder's own `canceling`
      expect(statusesOf(ended).at(-1)).toBe(status.canceled);
      expect(await going(ended)).toEqual([]);
    } finally {
      await rig.partition('UP');
    }
  });

  test('is canceled before a worker runs: it never starts', async () => {
    await rig.stopWorker();
    const { job } = await rig.wait();
    await cancel(job);
    await rig.startWorker();
    const { job: next } = await rig.copy('after it');
    expect((await rig.ended(next)).status).toBe(status.success);
    expect(statusesOf(await rig.job(job))).toEqual([status.canceled]);
    expect(await rig.slurmJobs(await rig.job(job))).toEqual([]);
  });
});

test('with `girder.cancelDeleted` off, a run whose job is deleted in Girder continues', async () => {
  await rig.stopWorker();
  await rig.startWorker(['--set', 'girder.cancelDeleted=false']);
  const { job, folder, open } = await rig.wait();
  await rig.until(async () => hasLine(job, 'line 3\n'));
  await rig.user.call('DELETE', `job/${job._id}`);
  await rig.until(async () => {
    const lines = (await rig.workerLog()).split('\n');
    return lines.some((line) => line.includes(job._id) && line.includes('accepts no more reports'));
  });
  await open();
  await rig.until(async () => Object.keys(await rig.files(folder)).length > 0);
  expect(Object.keys(await rig.files(folder))).toEqual(['waited.txt']);
});
