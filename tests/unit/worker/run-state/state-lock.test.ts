import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { LeaseClock } from '../../../../src/worker/run-state/lease.js';
import { lockState, type LockOptions } from '../../../../src/worker/run-state/state-lock.js';
import {
  describeSelf,
  isCertainlyDead,
  parseOwner,
  type ProcessIdentity,
} from '../../../../src/worker/run-state/process-identity.js';
import { fakeHostClock, passTime, passUntil } from '../../../support/lease.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dsa-lock-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** A clock whose sleeps never end. */
const stoppedClock: LeaseClock = fakeHostClock();

/** The number of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}

/** What a worker that was killed leaves behind. */
async function leave(owner: Partial<ProcessIdentity>): Promise<void> {
  mkdirSync(join(directory, 'worker.lock'));
  const whole = { ...(await describeSelf()), ...owner };
  await writeFile(
    join(directory, 'worker.lock', 'lease.1'),
    JSON.stringify({ generation: 1, state: 'held', leaseMs: 3_000, owner: whole }),
  );
}

const options: LockOptions = {
  leaseSeconds: 3,
  onLost(reason) {
    throw new Error(`lost: ${reason}`);
  },
};

async function ownerIn(file: string): Promise<ProcessIdentity | null> {
  return parseOwner(await readFile(join(directory, file), 'utf8'));
}

describe('lockState', () => {
  test('is for one at a time, names the holder, and is free again afterwards', async () => {
    const lease = await lockState(directory, options);
    await expect(lockState(directory, options)).rejects.toThrow(
      new RegExp(`^A worker already runs for this profile: process ${process.pid} on `),
    );
    await lease.release();
    expect(await readdir(directory)).toEqual(['worker.lock']);
    const next = await lockState(directory, options);
    expect(next.generation()).toBe(2);
    expect(await readdir(join(directory, 'worker.lock'))).toEqual(['lease.2']);
    await next.release();
  });

  test('many who start at once: one gets it', async () => {
    await leave({ pid: await deadPid(), born: '1' });
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, async () => lockState(directory, options)),
    );
    const got = tries.filter((one) => one.status === 'fulfilled');
    expect(got).toHaveLength(1);
    await got[0]?.value.release();
  });

  test('many who start at once where nobody ever was: one gets it', async () => {
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, async () => lockState(directory, options)),
    );
    const got = tries.filter((one) => one.status === 'fulfilled');
    expect(got).toHaveLength(1);
    await got[0]?.value.release();
  });

  test.each<[string, () => Promise<Partial<ProcessIdentity>>]>([
    ['is gone', async () => ({ pid: await deadPid() })],
    ['has its number given to another process', async () => ({ born: '1' })],
  ])('a holder that %s is succeeded at once', async (_, owner) => {
    await leave(await owner());
    const lease = await lockState(directory, { ...options, clock: stoppedClock });
    expect((await ownerIn('worker.owner'))?.pid).toBe(process.pid);
    await lease.release();
  });

  test.each<[string, Partial<ProcessIdentity>]>([
    ['on another machine', { machine: 'another boot pid:[1]' }],
    ['that cannot be placed', { machine: null }],
  ])('the lock of a holder %s is left alone until it has not been renewed for a while', async (_, owner) => {
    const clock = fakeHostClock();
    await leave({ pid: await deadPid(), ...owner });
    let isTaken = false;
    const taking = lockState(directory, { ...options, clock }).then((lease) => {
      isTaken = true;
      return lease;
    });
    await passTime([clock], 3_000);
    expect(isTaken).toBe(false);
    await (await passUntil([clock], taking)).release();
  });

  test('that of a holder that lives here is not waited for', async () => {
    await leave({});
    await expect(lockState(directory, { ...options, clock: stoppedClock })).rejects.toThrow(
      'A worker already runs',
    );
  });

  test('that of a holder elsewhere, which renews it, is not waited for either', async () => {
    const clock = fakeHostClock();
    await leave({ machine: 'another boot pid:[1]', host: 'far' });
    const taking = lockState(directory, { ...options, clock });
    taking.catch(() => undefined);
    await passTime([clock], 1_000);
    await writeFile(
      join(directory, 'worker.lock', 'lease.1'),
      JSON.stringify({
        state: 'held',
        renewal: 2,
        owner: { ...(await describeSelf()), host: 'far', machine: 'x' },
      }),
    );
    await expect(passUntil([clock], taking)).rejects.toThrow(/A worker already runs.* on far,/);
  });

  test('one without a readable owner is left alone', async () => {
    const clock = fakeHostClock();
    await leave({});
    await writeFile(join(directory, 'worker.lock', 'lease.1'), '{"owner":{"pid":"1; rm"');
    const taking = lockState(directory, { ...options, clock });
    taking.catch(() => undefined);
    await passTime([clock], 1_000);
    await writeFile(join(directory, 'worker.lock', 'lease.1'), '{"owner":{"pid":"2; rm"');
    await expect(passUntil([clock], taking)).rejects.toThrow('another process');
  });

  test('where nothing can be made it says which directory', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    await expect(lockState(join(file, 'state'), options)).rejects.toThrow(
      `The state directory ${join(file, 'state')} cannot be created.`,
    );
  });
});

describe('an owner', () => {
  test('that is this process lives', async () => {
    expect(await isCertainlyDead(await describeSelf())).toBe(false);
  });

  test('is read from its own text and nothing else', async () => {
    const self = await describeSelf();
    expect(parseOwner(JSON.stringify(self))).toEqual(self);
    for (const text of ['', 'process 1 on a', 'null', '[]', '{}', '{"pid":0,"host":"a","since":"b"}'])
      expect(parseOwner(text)).toBeNull();
  });
});
