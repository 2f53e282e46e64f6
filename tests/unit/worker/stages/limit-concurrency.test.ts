import { expect, test } from 'vitest';
import { createKeyedLimiter } from '../../../../src/base/keyed-limiter.js';
import { girderKey, withKeyedSlot } from '../../../../src/worker/stages/limit-concurrency.js';

const goOn = new AbortController().signal;

test('a slot is released during a wait, and acquired again', async () => {
  const places = createKeyedLimiter(1);
  const order: string[] = [];
  const sick = Promise.withResolvers<void>();
  const first = withKeyedSlot(places, 'girder', goOn, async (outside) => {
    order.push('first waits');
    await outside(async () => sick.promise);
    order.push('first goes on');
  });
  await withKeyedSlot(places, 'girder', goOn, async () => {
    order.push('second');
    sick.resolve();
  });
  await first;
  expect(order).toEqual(['first waits', 'second', 'first goes on']);
  await withKeyedSlot(places, 'girder', goOn, async () => order.push('third'));
  expect(order.at(-1)).toBe('third');
});

test('a cancel during a wait leaves no slot occupied', async () => {
  const places = createKeyedLimiter(1);
  const stop = new AbortController();
  const first = withKeyedSlot(places, 'girder', stop.signal, async (outside) =>
    outside(async () => stop.abort(new Error('canceled'))),
  );
  await expect(first).rejects.toThrow('canceled');
  expect(await withKeyedSlot(places, 'girder', goOn, async () => 'free')).toBe('free');
});

const keyOf = (...urls: string[]): string =>
  girderKey(
    urls.map((apiUrl) => ({ kind: 'file', access: { apiUrl, token: 'T' } })),
    { 'http://inside': 'http://outside' },
  );

test('a task that names two Girder servers has its own key', () => {
  expect(keyOf('http://a/api/v1', 'http://a/api/v1')).toBe('http://a');
  expect(keyOf('http://b/api/v1', 'http://a/api/v1')).toBe('http://a http://b');
  expect(keyOf('http://inside/api/v1')).toBe('http://outside');
  expect(girderKey([{ kind: 'several', files: [{ access: { apiUrl: 'http://c' } }] }], {})).toBe('http://c');
});
