import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRunner } from '../../src/base/command.js';
import { logOf, openRig, status, statusesOf, type Job, type Rig } from './support/rig.js';
import { testSite } from '../support/test-site.js';

let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
});

afterAll(async () => {
  await rig.close();
});

/** Numbers of the lines that a `Wait` has written, as Girder's log has them. */
const lines = (job: Job): number[] =>
  [...logOf(job).matchAll(/^line (\d+)$/gm)].map(([, number]) => Number(number));

/** Each line once, in order, and the last one that the analysis knows of. */
function expectWholeLog(job: Job): void {
  const seen = lines(job);
  expect(seen).toEqual(seen.map((_, index) => index + 1));
  expect(logOf(job)).toContain(`that was line ${seen.length}\n`);
}

const going = async (job: Job): Promise<boolean> => lines(await rig.job(job)).length > 3;

test('Girder is killed for 5 s while an analysis runs', async () => {
  const { job, folder, open } = await rig.wait();
  await rig.until(async () => going(job));
  await rig.girder('kill');
  await delay(5_000);
  await rig.girder('start');
  const before = lines(await rig.job(job)).length;
  await rig.until(async () => lines(await rig.job(job)).length > before);
  await open();
  const ended = await rig.ended(job);
  expect(statusesOf(ended)).toEqual([status.running, status.success]);
  expectWholeLog(ended);
  expect(Object.keys(await rig.files(folder))).toEqual(['waited.txt']);
});

describe('Girder is killed for 90 s', () => {
  let running: Awaited<ReturnType<Rig['wait']>>;
  let published: Awaited<ReturnType<Rig['copy']>>;
  let listed = '';

  beforeAll(async () => {
    running = await rig.wait();
    await rig.until(async () => going(running.job));
    await rig.stopWorker();
    published = await rig.copy('published before it was killed');
    await rig.girder('kill');
    const away = delay(90_000);
    await rig.startWorker();
    // the analysis ends, but its output cannot be uploaded yet
    await running.open();
    await delay(60_000);
    listed = (await rig.program('runs', 'list')).stdout;
    await away;
    await rig.girder('start');
  });

  test('an analysis that ended meanwhile: its output is uploaded and its log is complete', async () => {
    const ended = await rig.ended(running.job, 120_000);
    expect(ended.status).toBe(status.success);
    expectWholeLog(ended);
    expect(Object.keys(await rig.files(running.folder))).toEqual(['waited.txt']);
  });

  test('inputs that could not be fetched are fetched later', async () => {
    const ended = await rig.ended(published.job, 120_000);
    expect(ended.status).toBe(status.success);
    expect(await rig.files(published.folder)).toEqual({ 'copy.txt': 'published before it was killed' });
  });

  test('meanwhile `runs list` and the log show what the run waits for', async () => {
    expect(listed).toMatch(/could not be reached|waits for Girder/);
    expect(await rig.workerLog()).toMatch(/"level":40.*could not be reached/);
  });
});

test('RabbitMQ is restarted: a run ends, and the next one runs', async () => {
  const { job, open } = await rig.wait();
  await rig.until(async () => going(job));
  const run = createRunner({ env: { ...process.env, ...testSite().rabbitmqEnv }, timeoutMs: 60_000 });
  for (const command of ['stop_app', 'start_app']) await run(testSite().rabbitmqctl, [command]);
  await open();
  const ended = await rig.ended(job);
  expect(ended.status).toBe(status.success);
  expectWholeLog(ended);
  await rig.until(async () => {
    const { job: next } = await rig.copy('afterwards').catch(() => ({ job: null }));
    return next === null ? null : (await rig.ended(next)).status === status.success;
  }, 120_000);
});

test('the worker is killed: the next one goes on, and each line is there once', async () => {
  const { job, folder, open } = await rig.wait();
  await rig.until(async () => going(job));
  await rig.stopWorker('SIGKILL');
  await rig.startWorker();
  const before = lines(await rig.job(job)).length;
  await rig.until(async () => lines(await rig.job(job)).length > before);
  await open();
  const ended = await rig.ended(job);
  expect(statusesOf(ended)).toEqual([status.running, status.success]);
  expectWholeLog(ended);
  expect(Object.keys(await rig.files(folder))).toEqual(['waited.txt']);
});
