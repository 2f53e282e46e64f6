import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { lockState } from '../../../src/worker/lock.js';
import { describeSelf, isCertainlyDead, parseOwner, type Owner } from '../../../src/worker/owner.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dsa-lock-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** The number of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}

/** What a worker that was killed leaves behind. */
async function leave(owner: Partial<Owner>): Promise<void> {
  mkdirSync(join(directory, 'worker.lock'));
  await writeFile(join(directory, 'worker.owner'), JSON.stringify({ ...(await describeSelf()), ...owner }));
}

const nobodyLoses = (reason: string): void => {
  throw new Error(`lost: ${reason}`);
};

describe('lockState', () => {
  test('is for one at a time, names the holder, and leaves nothing behind', async () => {
    const release = await lockState(directory, nobodyLoses);
    await expect(lockState(directory, nobodyLoses)).rejects.toThrow(
      new RegExp(`^A worker already runs for this profile: process ${process.pid} on `),
    );
    await release();
    expect(await readdir(directory)).toEqual([]);
    await (
      await lockState(directory, nobodyLoses)
    )();
  });

  test('many who start at once: one gets it', async () => {
    await leave({ pid: await deadPid(), born: '1' });
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, async () => lockState(directory, nobodyLoses)),
    );
    const got = tries.filter((one) => one.status === 'fulfilled');
    expect(got).toHaveLength(1);
    await got[0]?.value();
  });

  test('a worker that was killed while it took the lock keeps nobody away for long', async () => {
    const guard = join(directory, 'worker.starting');
    mkdirSync(guard);
    // nearly stale, but longer to go than anybody alive would need
    const before = new Date(Date.now() - 16_500);
    await utimes(guard, before, before);
    const release = await lockState(directory, nobodyLoses);
    await release();
  }, 60_000);

  test.each<[string, () => Promise<Partial<Owner>>]>([
    ['is gone', async () => ({ pid: await deadPid() })],
    ['has its number given to another process', async () => ({ born: '1' })],
  ])('a holder that %s is succeeded at once', async (_, owner) => {
    await leave(await owner());
    const release = await lockState(directory, nobodyLoses);
    expect(parseOwner(await readFile(join(directory, 'worker.owner'), 'utf8'))?.pid).toBe(process.pid);
    await release();
  });

  test.each<[string, Partial<Owner>]>([
    ['on another machine', { machine: 'another boot pid:[1]' }],
    ['that cannot be placed', { machine: null }],
    ['that lives', {}],
  ])('the lock of a holder %s is left alone until it is stale', async (_, owner) => {
    await leave({ ...(owner.machine === undefined ? {} : { pid: await deadPid() }), ...owner });
    await expect(lockState(directory, nobodyLoses)).rejects.toThrow('A worker already runs');
    const longAgo = new Date(Date.now() - 25_000);
    await utimes(join(directory, 'worker.lock'), longAgo, longAgo);
    await (
      await lockState(directory, nobodyLoses)
    )();
  });

  test('a lock without a readable owner is left alone', async () => {
    await leave({});
    await writeFile(join(directory, 'worker.owner'), '{"pid":"1; rm"');
    await expect(lockState(directory, nobodyLoses)).rejects.toThrow('another process');
  });

  test('where nothing can be made it says which directory', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    await expect(lockState(join(file, 'state'), nobodyLoses)).rejects.toThrow(
      `The state directory ${join(file, 'state')} cannot be made.`,
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
