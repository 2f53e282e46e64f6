import { expect, test } from 'vitest';
import { createCounter } from '../../../src/base/counter.js';

test('a counter counts per span and forgets the oldest', () => {
  let now = 0;
  const counter = createCounter(
    { now: () => now, monotonic: () => now, sleep: async () => undefined },
    1_000,
    3,
  );
  counter.add();
  counter.add();
  now = 1_500;
  counter.add();
  expect(counter.series()).toEqual([0, 2, 1]);
  now = 3_000;
  expect(counter.series()).toEqual([1, 0, 0]);
  expect(counter.sum()).toBe(1);
});
