import { join } from 'node:path';

import { afterEach, expect, test } from 'vitest';

import { readJournal } from '../../../src/worker/run-state/read-journal.js';
import { expectStatus, openLab, status, statuses, type Lab } from '../../support/lab.js';
import { openSmallDisk, type SmallDisk } from '../../support/small-disk.js';

let disk: SmallDisk | null = null;
let lab: Lab | null = null;

afterEach(async () => {
  await lab?.close();
  await disk?.close();
});

test('a full state directory pauses the intake and is reported; with free space everything continues, each run once', async ({
  skip,
}) => {
  disk = await openSmallDisk('8m');
  if (disk === null) return skip('this user may not mount a file system');
  const state = join(disk.dir, 'state');
  lab = await openLab({ 'dirs.state': state });
  const { worker, girder } = lab;
  const health = () => worker.handle.snapshot().health;
  const going = await lab.publish({ args: ['Linger', '3', { output: 'o' }] });
  await lab.until(() => worker.handle.snapshot().runs.some(({ stage }) => stage === 'running'));

  await disk.fill();
  // the last page of a file has room for a small message
  const waiting = await lab.publish({ args: ['Wait', '/etc/hostname', 'x'.repeat(10_000)] });
  await lab.until(() => health().intake === 'blocked');
  expect(health().problem).toMatch(/The journal .* cannot be written: ENOSPC/);
  expect(health().inFlight).toBe(1);
  expect(statuses(girder.job(waiting.id) ?? waiting)).toEqual([]);

  await disk.free();
  await lab.until(() => health().intake === 'open');
  expect(health().problem).toBeNull();
  for (const job of [going, waiting]) await lab.ended(job);
  expectStatus(girder.job(waiting.id) ?? waiting, status.success);
  expect(statuses(girder.job(waiting.id) ?? waiting)).toEqual([status.running, status.success]);
  await lab.until(() => health().inFlight === 0);
  const { runs, damaged } = await readJournal(join(state, 'journal.jsonl'));
  expect([...runs.values()].map(({ stage, outcome }) => [stage, outcome])).toEqual([
    ['finished', expect.any(String)],
    ['finished', 'succeeded'],
  ]);
  expect(damaged).toEqual([]);
  return undefined;
});
