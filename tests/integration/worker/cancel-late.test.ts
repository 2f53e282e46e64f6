import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { never, openCancelBench, type CancelBench, type Cancelable } from '../../support/cancel-bench.js';
import { expectStatus, openLab, status, statuses, type Lab } from '../../support/lab.js';

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

async function running(): Promise<Cancelable> {
  const published = await bench.publish(never);
  await bench.runOf(published, ({ stage }) => stage === 'running');
  return published;
}

describe('a cancel', () => {
  test('in the middle of an upload: no part of it is saved', async () => {
    const input = await lab.girder.addFile(lab.girder.rootFolderId, 'x', Buffer.from('x'));
    lab.girder.fail((method, path) =>
      method === 'POST' && path.startsWith('file') ? { kind: 'hold' } : undefined,
    );
    const published = await bench.publish(['Copy', { file: input.id, name: 'x' }]);
    await lab.until(() => lab.girder.requests().some(({ path }) => path.includes(published.folder.id)));
    await lab.girder.cancel(published.girderJob.id);
    await bench.expectCanceled(published, 'revoked', 'COMPLETED');
    lab.girder.fail();
    expect(await bench.jobsOf(published)).toHaveLength(1);
  });

  test('twice, and a third time through the status of the Girder job, is a single cancel', async () => {
    const published = await running();
    await lab.producer.revoke([published.id, published.id]);
    await lab.girder.cancel(published.girderJob.id);
    const job = await bench.expectCanceled(published);
    expect(statuses(job).filter((each) => each === status.running)).toHaveLength(1);
    expect(await bench.cancelsOf(published)).toHaveLength(1);
  });

  test('of several tasks in one list, one of them unknown', async () => {
    const both = [await running(), await running()];
    await bench.control({ task_id: [both[0]?.id, randomUUID(), both[1]?.id] });
    for (const each of both) await bench.expectCanceled(each);
  });

  test('with terminate of an active run gets that answer', async () => {
    const published = await running();
    await bench.control({ task_id: published.id, terminate: true, signal: 'SIGKILL' });
    await bench.expectCanceled(published, 'terminated');
  });

  test('of an unknown task changes nothing for the others', async () => {
    const published = await bench.publish(['Wait', '/etc/hostname']);
    await lab.producer.revoke([randomUUID()]);
    expectStatus(await lab.ended(published.girderJob), status.success);
  });

  test('of a finished run changes nothing', async () => {
    const published = await bench.publish(['Wait', '/etc/hostname']);
    await bench.runOf(published, ({ stage }) => stage === 'finished');
    await lab.producer.revoke([published.id]);
    await lab.girder.cancel(published.girderJob.id);
    expect(await lab.worker.handle.act({ kind: 'cancel', runs: [published.id], jobs: [] })).toMatchObject({
      ok: false,
    });
    // the revoke has taken effect once a later one has
    const later = await running();
    await lab.producer.revoke([later.id]);
    await bench.expectCanceled(later);
    const job = await lab.ended(published.girderJob);
    expect(statuses(job)).toEqual([status.running, status.success]);
    expect(await bench.runOf(published, () => true)).toMatchObject({ outcome: 'succeeded' });
    expect(await bench.cancelsOf(published)).toEqual([]);
  });
});
