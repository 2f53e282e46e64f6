import { describe, expect, test } from 'vitest';

import { systemClock } from '../../../../src/base/clock.js';
import { viewJournal } from '../../../../src/worker/runs/view-journal.js';
import { findRunLog, type RunsView } from '../../../../src/worker/runs/index.js';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../../../src/base/log.js';
import { openJournal } from '../../../../src/worker/run-state/journal.js';
import type { RunEvent } from '../../../../src/worker/run-state/run.js';
import { heldLease } from '../../../support/lease.js';
import { someTask } from '../../../support/tasks.js';

/** Each time the runs are read, there is one more of these events. */
async function find(
  follow: boolean,
  events: readonly RunEvent[],
): Promise<{ path: string; messages: string[] }> {
  const directory = await mkdtemp(join(tmpdir(), 'dsa-slurm-run-log-'));
  const { journal } = await openJournal(directory, silentLog(), heldLease);
  const left = [...events];
  const messages: string[] = [];
  try {
    const view = async (): Promise<RunsView> => {
      const event = left.shift();
      if (event !== undefined) await journal.append('run-1', event);
      return viewJournal(directory, systemClock);
    };
    const clock = { ...systemClock, sleep: async () => undefined };
    const path = await findRunLog({ view }, 'run-1', {
      follow,
      onWait: (text) => void messages.push(text),
      clock,
      signal: new AbortController().signal,
    });
    return { path, messages };
  } finally {
    await journal.close();
    await rm(directory, { recursive: true });
  }
}

const submission = { key: 'run-1', logFile: '/logs/run-1.log', exitRecord: '/logs/run-1.exit', at: 3 };
const accepted: RunEvent = { type: 'accepted', at: 1, task: someTask(), refusal: null };
const later: RunEvent[] = [accepted, { type: 'staging', at: 2 }, { type: 'submitting', at: 3, submission }];

describe('the log of a run', () => {
  test('that has none yet is waited for with --follow, and that is said once', async () => {
    expect(await find(true, later)).toEqual({
      path: '/logs/run-1.log',
      messages: ['run run-1 is accepted; waiting for its log'],
    });
  });

  test('is not waited for without', async () => {
    await expect(find(false, later)).rejects.toThrow('Run run-1 has no log yet: it is accepted.');
  });

  test('that will never have one is not waited for', async () => {
    const finished: RunEvent = { type: 'finished', at: 2, told: true };
    await expect(find(true, [accepted, finished])).rejects.toThrow('Run run-1 has no log: it is finished.');
  });

  test('of an unknown run is not waited for', async () => {
    await expect(find(true, [])).rejects.toThrow('There is no run run-1.');
  });
});
