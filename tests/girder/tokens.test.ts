import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { RunView } from '../../src/worker/views/handle.js';
import { logOf, openRig, status, statusesOf, type Job, type Rig } from './support/rig.js';
import { testGirder } from './support/test-girder.js';

let rig: Rig;
let mongo: MongoClient;

beforeAll(async () => {
  rig = await openRig();
  mongo = await MongoClient.connect(testGirder().mongoUrl);
});

afterAll(async () => {
  await mongo.close();
  await rig.close();
});

/** What MongoDB does to a token after 7 days. */
async function expire(job: Job): Promise<void> {
  await mongo
    .db()
    .collection('token')
    .deleteMany({ scope: `jobs.job_${job._id}` });
}

/** A run once it is over. A report that Girder refused is in its reason only then, later than its outcome. */
async function finished(id: string): Promise<RunView> {
  return rig.until(async () => {
    const { stdout } = await rig.program('runs', 'show', id, '--json');
    // empty as long as the worker has not accepted its task
    if (stdout === '') return null;
    const { run } = JSON.parse(stdout) as { run: RunView };
    return run.stage === 'finished' ? run : null;
  });
}

describe('tokens', () => {
  test('the token of a job expires while it runs: the run ends with the right reason', async ({ expect }) => {
    const { job, open } = await rig.wait();
    await rig.until(async () => logOf(await rig.job(job)).includes('line 3\n'));
    const { celeryTaskId = '' } = await rig.job(job);
    await expire(job);
    await open();
    const { reason } = await finished(celeryTaskId);
    expect(reason).toMatch(/has expired or was revoked/);
    expect(reason).not.toContain('not valid for');
  });

  test('the token of a job expires before its start: the reason is reported once', async ({ expect }) => {
    await rig.stopWorker();
    const { job, folder } = await rig.copy('too late');
    await expire(job);
    await rig.startWorker();
    const { celeryTaskId = '' } = await rig.job(job);
    const { outcome, reason } = await finished(celeryTaskId);
    expect(outcome).toBe('failed');
    expect(reason?.split('has expired or was revoked')).toHaveLength(2);
    expect(reason).not.toContain('not valid for');
    expect(await rig.files(folder)).toEqual({});
  });
});

test('an input that is removed before the run starts is named', async ({ expect }) => {
  await rig.stopWorker();
  const [{ _id: input }, folder] = [await rig.slide('gone'), await rig.folder('results')];
  const job = await rig.run('Copy', { input, output: 'x', output_folder: folder });
  await rig.user.call('DELETE', `file/${input}`);
  await rig.startWorker();
  const ended = await rig.ended(job);
  expect(statusesOf(ended)).toEqual([status.running, status.error]);
  expect(logOf(ended)).toContain('Invalid file id');
  expect(logOf(ended)).not.toContain('..)');
});
