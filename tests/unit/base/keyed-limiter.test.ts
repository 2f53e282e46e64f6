import { expect, test } from 'vitest';
import { createPlaces } from '../../../src/base/keyed-limiter.js';

const settled = async (work: Promise<unknown>): Promise<boolean> =>
  Promise.race([
    work.then(() => true),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
  ]);

test('whoever holds all places of one key keeps only that key waiting', async () => {
  const places = createPlaces(2);
  const leave = await places.enter('slow');
  await places.enter('slow');
  const third = places.enter('slow');
  expect(await settled(third)).toBe(false);
  expect(await settled(places.enter('healthy'))).toBe(true);
  leave();
  leave();
  expect(await settled(third)).toBe(true);
  expect(await settled(places.enter('slow'))).toBe(false);
});

test('places are handed on in order, and an abort ends the waiting for one', async () => {
  const places = createPlaces(1);
  const order: string[] = [];
  const leave = await places.enter('a');
  const stop = new AbortController();
  const gone = places.enter('a', stop.signal);
  const work = ['first', 'second'].map(async (name) => {
    const done = await places.enter('a');
    order.push(name);
    done();
  });
  stop.abort(new Error('canceled'));
  await expect(gone).rejects.toThrow('canceled');
  await expect(places.enter('a', stop.signal)).rejects.toThrow('canceled');
  leave();
  await Promise.all(work);
  expect(order).toEqual(['first', 'second']);
  expect(await settled(places.enter('a'))).toBe(true);
});
