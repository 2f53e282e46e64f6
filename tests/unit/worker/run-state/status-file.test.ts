import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { silentLog } from '../../../../src/base/log.js';
import { programVersion } from '../../../../src/base/version.js';
import type { WorkerSnapshot } from '../../../../src/worker/views/handle.js';
import {
  keepStatusFile,
  parseStatus,
  statusFileName,
  statusOf,
  type WorkerStatus,
} from '../../../../src/worker/run-state/status-file.js';
import { heldLease } from '../../../support/lease.js';

const status: WorkerStatus = {
  at: 7,
  broker: { state: 'disconnected', problem: 'gone' },
  jobsAt: null,
  jobsProblem: 'squeue is silent',
  inFlight: 3,
  problem: null,
  version: programVersion(),
  standbys: [{ host: 'login2', pid: 9, since: '2026-11-30' }],
};

describe('the status file', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'status-'));
  });
  afterEach(async () => rm(dir, { recursive: true, force: true }));

  const read = async (): Promise<WorkerStatus | null> =>
    parseStatus(await readFile(join(dir, statusFileName), 'utf8').catch(() => ''));

  test('is written at once and again, for its user alone, and is gone at the end', async () => {
    let at = 0;
    const stop = keepStatusFile(dir, () => ({ ...status, at: ++at }), silentLog(), heldLease, 5);
    await expect.poll(read).toMatchObject({ ...status, at: expect.any(Number) as number });
    expect((await stat(join(dir, statusFileName))).mode & 0o777).toBe(0o600);
    await expect.poll(async () => (await read())?.at).toBeGreaterThan(2);
    await stop();
    expect(await readdir(dir)).toEqual([]);
  });

  test('of another worker, which has taken over, is left alone', async () => {
    let isLost = false;
    const lease = {
      async hold() {
        if (isLost) throw new Error('lost');
      },
    };
    const stop = keepStatusFile(dir, () => status, silentLog(), lease, 60_000);
    await expect.poll(read).not.toBeNull();
    isLost = true;
    await writeFile(join(dir, statusFileName), JSON.stringify({ ...status, inFlight: 99 }));
    await stop();
    expect((await read())?.inFlight).toBe(99);
  });

  test('that cannot be written is logged once and stops nothing', async () => {
    const log = silentLog();
    const messages: unknown[] = [];
    log.warn = (facts: unknown) => void messages.push(facts);
    let tries = 0;
    const count = () => {
      tries += 1;
      return status;
    };
    const stop = keepStatusFile(join(dir, 'nowhere'), count, log, heldLease, 5);
    await expect.poll(() => tries).toBeGreaterThan(3);
    await stop();
    expect(messages).toMatchObject([{ why: expect.stringContaining('ENOENT') }]);
  });

  test('holds what others need of a snapshot, and nothing else', () => {
    const snapshot = {
      profile: 'lab',
      executor: 'slurm',
      link: { kind: 'inside' },
      health: {
        startedAt: 1,
        broker: { state: 'disconnected', since: 2, problem: 'gone' },
        intake: 'open',
        drainedAt: null,
        inFlight: 3,
        inFlightLimit: 10,
        finished: { succeeded: 0, failed: 0, canceled: 0 },
        problem: null,
      },
      runs: [],
      jobs: { rows: [], at: null, problem: 'squeue is silent' },
    } satisfies WorkerSnapshot;
    expect(statusOf(snapshot, 7, status.standbys)).toEqual(status);
  });

  // as 0.1.0 wrote it
  const oldStatus = JSON.stringify(status)
    .replaceAll('"problem"', '"trouble"')
    .replace('"jobsProblem"', '"jobsTrouble"');

  test.each([
    ['', null],
    ['{"at":', null],
    ['[]', null],
    [JSON.stringify({ ...status, broker: { state: 'x', problem: null } }), null],
    [JSON.stringify(status), status],
    [oldStatus, status],
  ])('is read as a whole or not at all: %s', (text, expected) => expect(parseStatus(text)).toEqual(expected));
});
