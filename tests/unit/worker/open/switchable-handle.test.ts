import { expect, test } from 'vitest';
import { createSwitchableHandle } from '../../../../src/worker/open/switchable-handle.js';
import type { WorkerSnapshot } from '../../../../src/worker/views/handle.js';
import { createFakeWorker, fakeRun } from '../../../support/fake-worker-handle.js';
import { fakeWorkerDetail } from '../../../support/fake-watched.js';

const runs = ({ runs: all }: WorkerSnapshot): string => all.map(({ id }) => id).join();

test('who listens to a worker goes on listening to the one that replaces it, and to that one only', async () => {
  const [before, after] = [createFakeWorker(), createFakeWorker()];
  after.show({ runs: [fakeRun({ id: 'run-1' })] });
  after.showWatched('worker', fakeWorkerDetail({ pid: 2 }));
  after.write('run-1', { lines: ['two'], lost: 0 });
  before.write('run-1', { lines: ['one'], lost: 0 });
  const { handle, switchTo } = createSwitchableHandle(before);
  const heard: string[] = [];
  const deaf = [
    handle.subscribe(() => heard.push(`runs ${runs(handle.snapshot())}`)),
    handle.watch('worker', ({ pid }) => heard.push(`process ${pid}`)),
    handle.followLog('run-1', ({ lines }) => heard.push(`log ${lines.join()}`)),
  ];
  const gone = handle.watch('history', () => heard.push('history'));
  gone();
  expect(heard).toEqual(['log one']);

  switchTo(after);
  expect(heard.splice(0)).toEqual(['log one', 'runs run-1', 'process 2', 'log two']);
  expect([before.listeners(), before.watching(), before.following()]).toEqual([0, [], []]);
  before.show({ runs: [] });
  after.show({ runs: [] });
  expect(heard).toEqual(['runs ']);
  await handle.pause();
  expect([before.commands, after.commands]).toEqual([[], ['pause']]);

  for (const stop of deaf) stop();
  expect([after.listeners(), after.watching(), after.following()]).toEqual([0, [], []]);
});
