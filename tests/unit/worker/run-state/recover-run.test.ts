import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { silentLog } from '../../../../src/base/log.js';
import { openJournal } from '../../../../src/worker/run-state/journal.js';
import { recoverRun } from '../../../../src/worker/run-state/recover-run.js';
import type { RunEvent } from '../../../../src/worker/run-state/run.js';
import { heldLease } from '../../../support/lease.js';
import { someTask } from '../../../support/tasks.js';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dsa-slurm-recover-'));
  path = join(directory, 'journal.jsonl');
});

const life: RunEvent[] = [
  { type: 'accepted', at: 1, task: someTask({ id: 'lost', queue: 'a-queue' }), refusal: null },
  { type: 'staged', at: 2, staged: { directory: '/tmp/lost' } as never },
  { type: 'submitting', at: 3, submission: { key: 'lost', logFile: '/l', exitRecord: '/e', at: 3 } },
  { type: 'submitted', at: 4, jobId: '10' },
];

/** Writes a journal with these events, changes its text, and opens it as the next worker does, which sets it aside. */
async function damage(change: (text: string) => string, events: readonly RunEvent[] = life): Promise<void> {
  const { journal } = await openJournal(directory, silentLog(), heldLease);
  for (const event of events) await journal.append('lost', event);
  await journal.close();
  await writeFile(path, change(await readFile(path, 'utf8')));
  const next = await openJournal(directory, silentLog(), heldLease);
  await next.journal.close();
  expect(next.runs.has('lost')).toBe(false);
}

describe('a run that a damaged journal lost', () => {
  test('is recovered in spite of a flipped bit in its first line', async () => {
    await damage((text) => text.replace('"a-queue"', '"a-qteue"'));
    const found = await recoverRun(directory, 'lost');
    expect(found).toMatchObject({
      kind: 'run',
      run: { id: 'lost', jobId: '10', stage: 'queued', submission: { logFile: '/l' } },
      file: expect.stringContaining('damaged-'),
    });
  });

  test('is recovered where the flipped bit is in the checksum', async () => {
    await damage((text) =>
      text.replace(
        /("accepted".*"crc":")(.)/,
        (_, before: string, digit: string) => `${before}${digit === '0' ? '1' : '0'}`,
      ),
    );
    expect(await recoverRun(directory, 'lost')).toMatchObject({ kind: 'run', run: { id: 'lost' } });
  });

  test('is not recovered where its message is gone', async () => {
    await damage((text) => text.replace(/^.*"accepted".*$/m, '\0'.repeat(4_096)));
    expect(await recoverRun(directory, 'lost')).toEqual({
      kind: 'nothing',
      why: 'no damaged journal in the state directory has its message',
    });
  });

  test('is not recovered without what its outputs need', async () => {
    const without = life.filter(({ type }) => type !== 'staged');
    await damage((text) => text.replace('"a-queue"', '"a-qteue"'), without);
    expect(await recoverRun(directory, 'lost')).toMatchObject({
      kind: 'nothing',
      why: expect.stringContaining('where its files are'),
    });
  });

  test('is not recovered once it had ended', async () => {
    await damage(
      (text) => text.replace('"a-queue"', '"a-qteue"'),
      [...life, { type: 'decided', at: 5, outcome: 'failed', reason: null }],
    );
    expect(await recoverRun(directory, 'lost')).toMatchObject({
      kind: 'nothing',
      why: expect.stringContaining('its run had ended'),
    });
  });

  test('is not possible where no journal was ever damaged', async () => {
    expect(await recoverRun(directory, 'lost')).toMatchObject({ kind: 'nothing' });
  });
});
