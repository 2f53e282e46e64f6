import { mkdtemp, mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { silentLog } from '../../../../src/base/log.js';
import { openJournal, type Journal } from '../../../../src/worker/run-state/journal.js';
import { createObserver, leaseTimes, readLease, type Lease } from '../../../../src/worker/run-state/lease.js';
import { lockState } from '../../../../src/worker/run-state/state-lock.js';
import { describeSelf, type ProcessIdentity } from '../../../../src/worker/run-state/process-identity.js';
import { fakeHostClock, passTime, passUntil, type FakeHostClock } from '../../../support/lease.js';
import { someTask } from '../../../support/tasks.js';

const leaseSeconds = 15;
let directory: string;
/** Of the host with the worker, and of the one that stands by. */
let first: FakeHostClock;
let second: FakeHostClock;
let held: Lease[];
let journals: Journal[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dsa-lease-'));
  [first, second] = [fakeHostClock(), fakeHostClock()];
  [held, journals] = [[], []];
});

afterEach(async () => {
  await Promise.all(journals.map(async (journal) => journal.close()));
  await Promise.all(held.map(async (lease) => lease.release()));
  await rm(directory, { recursive: true, force: true });
});

/** Opens the journal, and closes it at the end of the test. */
async function open(lease: Lease): ReturnType<typeof openJournal> {
  const opened = await openJournal(directory, silentLog(), lease);
  journals.push(opened.journal);
  return opened;
}

const accepted = (id: string) =>
  ({ type: 'accepted', at: 1, refusal: null, task: someTask({ id }) }) as const;

/** What version 0.1 leaves of a worker that lives, or was killed. */
async function leaveOldLock(owner: Partial<ProcessIdentity>): Promise<void> {
  await mkdir(join(directory, 'worker.lock'));
  await writeFile(join(directory, 'worker.owner'), JSON.stringify({ ...(await describeSelf()), ...owner }));
}

async function take(
  clock: FakeHostClock,
  onLost: (reason: string) => void = () => undefined,
): Promise<Lease> {
  const lease = await lockState(directory, { leaseSeconds, onLost, clock });
  held.push(lease);
  return lease;
}

function standBy(clock: FakeHostClock, end = new AbortController()) {
  let isActive = false;
  const waiting: (ProcessIdentity | null)[] = [];
  const lease = lockState(directory, {
    leaseSeconds,
    onLost: () => undefined,
    clock,
    standby: { signal: end.signal, onWaiting: (owner) => waiting.push(owner) },
  }).then((taken) => {
    isActive = true;
    held.push(taken);
    return taken;
  });
  lease.catch(() => undefined);
  return { lease, waiting, end, isActive: () => isActive };
}

describe('a standby', () => {
  test('waits for as long as the other one renews, however long that is', async () => {
    await take(first);
    const standby = standBy(second);
    await passTime([first, second], 60_000);
    expect(standby.isActive()).toBe(false);
    expect(standby.waiting).toHaveLength(1);
  });

  test('takes over within 30 s of the death of the other one, and not while its lease counts', async () => {
    await take(first);
    const standby = standBy(second);
    await passTime([first, second], 10_000);
    first.isStopped = true;
    const before = second.monotonic();
    await passTime([first, second], leaseSeconds * 1_000 - 3_000);
    expect(standby.isActive()).toBe(false);
    await passUntil([first, second], standby.lease);
    expect(second.monotonic() - before).toBeLessThan(30_000);
    expect((await standby.lease).generation()).toBe(2);
  });

  test('does so at once when the other one stops in good order', async () => {
    // whose lease would be waited for for more than ten minutes
    const active = await lockState(directory, { leaseSeconds: 600, onLost: () => undefined, clock: first });
    const standby = standBy(second);
    await passTime([first, second], 5_000);
    expect(standby.isActive()).toBe(false);
    await active.release();
    await passUntil([second], standby.lease);
  });

  test('is not misled by time stamps and clocks of the other host', async () => {
    await take(first);
    const standby = standBy(second);
    for (let round = 0; round < 20; round += 1) {
      await passTime([first, second], 2_000);
      const [name = ''] = await readdir(join(directory, 'worker.lock'));
      // as if that host were years behind
      await utimes(join(directory, 'worker.lock', name), new Date(0), new Date(0));
    }
    expect(standby.isActive()).toBe(false);
  });

  test('counts only what it has seen: time without an answer of the file server is nobody’s death', async () => {
    const observer = createObserver(second, leaseTimes(leaseSeconds));
    const seen = { generation: 1, signature: 'a', owner: null, isFree: false, leaseMs: 15_000 };
    expect(observer.isExpired(seen)).toBe(false);
    for (let round = 0; round < 9; round += 1) {
      second.pass(2_000);
      expect(observer.isExpired(seen)).toBe(false);
    }
    second.pass(60_000);
    expect(observer.isExpired(seen)).toBe(false);
    second.pass(2_000);
    expect(observer.isExpired(seen)).toBe(false);
    for (let round = 0; round < 9; round += 1) {
      second.pass(2_000);
      observer.isExpired(seen);
    }
    expect(observer.isExpired(seen)).toBe(true);
  });

  test('waits longer where the other one relies on its lease for longer', () => {
    const observer = createObserver(second, leaseTimes(3));
    const seen = { generation: 1, signature: 'a', owner: null, isFree: false, leaseMs: 15_000 };
    const results = Array.from({ length: 21 }, () => {
      second.pass(1_000);
      return observer.isExpired(seen);
    });
    expect(results.indexOf(true)).toBe(20);
  });

  test('that is stopped while it waits leaves everything as it is', async () => {
    await take(first);
    const standby = standBy(second);
    await passTime([first, second], 3_000);
    standby.end.abort();
    await expect(standby.lease).rejects.toThrow('stopped while it was a standby');
    expect((await readLease(directory))?.generation).toBe(1);
  });

  test('several: one takes over, the others wait for that one', async () => {
    await take(first);
    const others = [fakeHostClock(), fakeHostClock(), fakeHostClock()];
    const standbys = others.map((clock) => standBy(clock));
    await passTime([first, ...others], 5_000);
    first.isStopped = true;
    await passUntil(others, Promise.any(standbys.map(async ({ lease }) => lease)));
    await passTime(others, 30_000);
    expect(standbys.filter(({ isActive }) => isActive())).toHaveLength(1);
    for (const { end } of standbys) end.abort();
  });
});

describe('the worker that has the lease', () => {
  test('and was stopped for two minutes finds out before it writes', async () => {
    const lost: string[] = [];
    const active = await take(first, (reason) => lost.push(reason));
    const standby = standBy(second);
    await passTime([first, second], 5_000);
    first.isStopped = true;
    first.pass(120_000);
    await passUntil([second], standby.lease);
    first.isStopped = false;
    await expect(active.hold()).rejects.toThrow('may no longer write');
    expect(lost).toEqual([expect.stringMatching(/^the state directory was taken over by process \d+ on /)]);
    expect(active.isLost()).toBe(true);
    await expect(active.confirm()).rejects.toThrow('may no longer write');
  });

  test('on a machine that was suspended, whose monotonic clock stood still, does too', async () => {
    const active = await take(first);
    const standby = standBy(second);
    await passTime([first, second], 5_000);
    first.pass(120_000, { monotonic: false });
    await passUntil([second], standby.lease);
    await expect(active.hold()).rejects.toThrow('may no longer write');
  });

  test('in a frozen virtual machine, none of whose clocks went on, learns it from the disk', async () => {
    const active = await take(first);
    const standby = standBy(second);
    await passUntil([second], standby.lease);
    await expect(active.confirm()).rejects.toThrow('may no longer write');
  });

  test('and was stopped while nobody else wanted it goes on, as of a new generation', async () => {
    const active = await take(first, (reason) => expect.fail(reason));
    first.pass(120_000);
    await active.hold();
    expect(active.generation()).toBe(2);
  });

  test('and a standby that both want it after its expiry: one of them gets it', async () => {
    for (let round = 0; round < 10; round += 1) {
      let lost = 0;
      const active = await take(first, () => (lost += 1));
      const standby = standBy(second);
      await passTime([first, second], 1_000);
      first.isStopped = true;
      await passTime([second], 19_000, 500);
      first.pass(20_000);
      first.isStopped = false;
      const [kept] = await Promise.allSettled([active.hold(), passTime([second], 2_500, 500)]);
      const isKept = kept.status === 'fulfilled';
      expect([isKept, lost, standby.isActive()]).toEqual(isKept ? [true, 0, false] : [false, 1, true]);
      standby.end.abort();
      await standby.lease.then(
        async (lease) => lease.release(),
        () => undefined,
      );
      await active.release();
    }
  });

  test('waits while the file system refuses, and goes on when it answers again', async () => {
    const active = await take(first);
    const lockDirectory = join(directory, 'worker.lock');
    await rename(lockDirectory, join(directory, 'aside'));
    // neither there nor gone: every look at it fails
    await writeFile(lockDirectory, '');
    first.pass(20_000);
    let isHeld = false;
    const holding = (async () => {
      await active.hold();
      isHeld = true;
    })();
    await passTime([first], 30_000);
    expect(isHeld).toBe(false);
    await rm(lockDirectory);
    await rename(join(directory, 'aside'), lockDirectory);
    await passUntil([first], holding);
    expect(active.isLost()).toBe(false);
  });

  test('does not wait for it while it stops', async () => {
    const stopping = new AbortController();
    const lease = await lockState(directory, {
      leaseSeconds,
      onLost: () => undefined,
      clock: first,
      stopping: stopping.signal,
    });
    await rename(join(directory, 'worker.lock'), join(directory, 'aside'));
    await writeFile(join(directory, 'worker.lock'), '');
    first.pass(20_000);
    const holding = lease.hold();
    stopping.abort();
    await expect(holding).rejects.toThrow('does not answer');
    await rm(join(directory, 'worker.lock'));
    await rename(join(directory, 'aside'), join(directory, 'worker.lock'));
    await lease.release();
  });

  test('whose lock was removed by somebody ends', async () => {
    const active = await take(first);
    await rm(join(directory, 'worker.lock'), { recursive: true });
    await expect(active.confirm()).rejects.toThrow('may no longer write');
  });

  test('does not take the lease of another for its own, though it is of the same generation', async () => {
    const active = await take(first);
    await rm(join(directory, 'worker.lock'), { recursive: true });
    await take(second);
    await expect(active.confirm()).rejects.toThrow('may no longer write');
  });
});

describe('the journal of a worker that was stopped for too long', () => {
  const event = { type: 'staging', at: 1 } as const;
  test('refuses what it appends late, and the one that took over does not have it', async () => {
    const active = await take(first);
    const { journal } = await open(active);
    await journal.append('a', accepted('a'));
    const standby = standBy(second);
    await passUntil([second], standby.lease);
    const taken = await standby.lease;
    const next = await open(taken);
    expect([...next.runs.keys()]).toEqual(['a']);
    // by its own clocks it may still write
    await expect(journal.append('a', event)).rejects.toThrow('may no longer write');
    await expect(journal.append('b', accepted('b'))).rejects.toThrow('may no longer write');
    await expect(journal.compact([])).rejects.toThrow('may no longer write');
    await next.journal.append('c', accepted('c'));
    await next.journal.close();
    const { runs } = await open(taken);
    expect([...runs.keys()]).toEqual(['a', 'c']);
    expect(runs.get('a')?.stage).toBe('accepted');
  });

  test('what was confirmed as written is read by the worker that takes over', async () => {
    const active = await take(first);
    const { journal } = await open(active);
    const standby = standBy(second);
    const told: string[] = [];
    const appending = (async () => {
      for (let number = 0; ; number += 1) {
        await journal.append(`r${number}`, accepted(`r${number}`));
        told.push(`r${number}`);
      }
    })();
    const ended = appending.catch(() => undefined);
    await passUntil([second], standby.lease);
    const { runs } = await open(await standby.lease);
    await ended;
    expect(told.length).toBeGreaterThan(0);
    expect(told.filter((id) => !runs.has(id))).toEqual([]);
  });
});

describe('the lock of an older version', () => {
  test('is left alone while it is renewed', async () => {
    await leaveOldLock({});
    const standby = standBy(second);
    for (let round = 0; round < 10; round += 1) {
      await passTime([second], 5_000);
      await utimes(join(directory, 'worker.lock'), new Date(), new Date(round * 1_000));
    }
    expect(standby.isActive()).toBe(false);
    standby.end.abort();
  });

  test('is taken over when it is not', async () => {
    await leaveOldLock({});
    await passUntil([second], standBy(second).lease);
    expect((await readLease(directory))?.generation).toBe(1);
  });
});

test('lock and lease are for their owner alone', async () => {
  await take(first);
  expect((await stat(join(directory, 'worker.lock'))).mode & 0o777).toBe(0o700);
  expect((await stat(join(directory, 'worker.lock', 'lease.1'))).mode & 0o777).toBe(0o600);
});
