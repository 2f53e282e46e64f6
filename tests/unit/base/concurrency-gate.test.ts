import { expect, test } from 'vitest';
import { createGate } from '../../../src/base/concurrency-gate.js';

/** Work that ends when the test resolves it. */
function work() {
  const { promise, resolve } = Promise.withResolvers<string>();
  let begun = false;
  return {
    begun: () => begun,
    end: resolve,
    do: async () => {
      begun = true;
      return promise;
    },
  };
}

const settle = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('runs up to the limit, and the others in order', async () => {
  const gate = createGate(2, () => 0);
  const all = [work(), work(), work(), work()];
  const done = all.map(async (one, index) => gate.pass(String(index), one.do));
  await settle();
  expect(all.map((one) => one.begun())).toEqual([true, true, false, false]);
  all[1]?.end('second');
  expect(await done[1]).toBe('second');
  await settle();
  expect(all.map((one) => one.begun())).toEqual([true, true, true, false]);
  for (const one of all) one.end('end');
  await Promise.all(done);
  expect(gate.view()).toBeNull();
});

test('a new call cannot take a slot that is being passed on', async () => {
  const gate = createGate(1, () => 0);
  let inside = 0;
  let most = 0;
  const one = async (): Promise<void> => {
    inside += 1;
    most = Math.max(most, inside);
    await settle();
    inside -= 1;
  };
  const first = gate.pass('a', one);
  const second = gate.pass('b', one);
  await first;
  await Promise.all([second, gate.pass('c', one), gate.pass('d', one)]);
  expect(most).toBe(1);
});

test('a failed call releases its slot', async () => {
  const gate = createGate(1, () => 0);
  const failed = gate.pass('a', async () => {
    throw new Error('no');
  });
  const next = gate.pass('b', async () => 'yes');
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe('yes');
});

test('shows the longest running call and the number of waiting ones', async () => {
  let now = 5;
  const gate = createGate(1, () => now);
  const slow = work();
  const done = Promise.all([gate.pass('/shared/x', slow.do), gate.pass('/shared/y', async () => '')]);
  await settle();
  now = 100;
  expect(gate.view()).toEqual({ label: '/shared/x', since: 5, waiting: 1 });
  slow.end('');
  await done;
});

test('abandoned calls reject, and waiting ones never run', async () => {
  const gate = createGate(1, () => 0);
  const [hung, later] = [work(), work()];
  const both = Promise.allSettled([gate.pass('a', hung.do), gate.pass('b', later.do)]);
  await settle();
  gate.abandon(new Error('stopped'));
  expect(await both).toMatchObject([
    { status: 'rejected', reason: { message: 'stopped' } },
    { status: 'rejected', reason: { message: 'stopped' } },
  ]);
  hung.end('');
  await settle();
  expect(later.begun()).toBe(false);
  expect(await gate.pass('c', async () => 'again')).toBe('again');
});
