import { expect, test } from 'vitest';

import { silentGirderJob } from '../../../../src/girder/jobs/job.js';
import { describeChunk, type PendingLogChunk } from '../../../../src/girder/jobs/log-chunk.js';
import { reconcileLog } from '../../../../src/worker/logs/reconcile-log.js';
import type { StageContext, WorkerServices } from '../../../../src/worker/worker-services.js';

async function settle(pieceOnItsWay: PendingLogChunk | null, log: string[] | 'away') {
  const recorded: unknown[] = [];
  let asked = 0;
  const girderJob = {
    ...silentGirderJob(),
    async read() {
      asked += 1;
      if (log === 'away') throw new Error('away');
      return { status: 2, handler: '', log };
    },
  };
  const context = { id: 'a', girderJob, stopping: new AbortController().signal } as unknown as StageContext;
  const runStore = {
    get: () => ({ pieceOnItsWay, logOnItsWay: 20, streamsOnItsWay: { 1: 8 } }),
    record: async (id: string, event: unknown) => void recorded.push(id, event),
  };
  await reconcileLog(context, { runStore } as unknown as WorkerServices);
  return { recorded, asked };
}

const piece = describeChunk('second\n', 6);

test('a chunk that Girder received before the worker died is not sent again', async () => {
  const { recorded } = await settle(piece, ['first\n', 'second\n']);
  expect(recorded).toEqual(['a', { type: 'log-sent', offset: 20, streams: { 1: 8 } }]);
});

test.each<[string, string[] | 'away']>([
  ['has not got', ['first\n']],
  ['does not say', 'away'],
])('a chunk that Girder %s is sent again', async (_, log) => {
  expect((await settle(piece, log)).recorded).toEqual([]);
});

test('Girder is not queried if nothing was being sent', async () => {
  expect(await settle(null, ['first\n'])).toEqual({ recorded: [], asked: 0 });
});
