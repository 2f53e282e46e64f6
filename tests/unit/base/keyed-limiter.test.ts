import { expect, test } from 'vitest';
import { createKeyedLimiter } from '../../../src/base/keyed-limiter.js';

const settled = async (work: Promise<unknown>): Promise<boolean> =>
  Promise.race([
    work.then(() => true),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
  ]);

test('limits each key separately', async () => {
  const places = createKeyedLimiter(2);
  const leave = await places.acquire('slow');
  await places.acquire('slow');
  const third = places.acquire('slow');
  expect(await settled(third)).toBe(false);
  expect(await settled(places.acquire('healthy'))).toBe(true);
  leave();
  leave();
  expect(await settled(third)).toBe(true);
  expect(await settled(places.acquire('slow'))).toBe(false);
});

test('grants slots in order, and an abort ends waiting', async () => {
  const places = createKeyedLimiter(1);
  const order: string[] = [];
  const leave = await places.acquire('a');
  const stop = new AbortController();
  const gone = places.acquire('a', stop.signal);
  const work = ['first', 'second'].map(async (name) => {
    const done = await places.acquire('a');
    order.push(name);
    done();
  });
  stop.abort(new Error('canceled'));
  await expect(gone).rejects.toThrow('canceled');
  await expect(places.acquire('a', stop.signal)).rejects.toThrow('canceled');
  leave();
  await Promise.all(work);
  expect(order).toEqual(['first', 'second']);
  expect(await settled(places.acquire('a'))).toBe(true);
});
