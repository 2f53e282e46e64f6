import { expect, test } from 'vitest';
import { backoffDelay } from '../../../src/base/backoff.js';

test.each([
  [0, [500, 1_000, 2_000, 30_000, 30_000]],
  [1, [250, 500, 1_000, 15_000, 15_000]],
])('the delay doubles up to its maximum, minus jitter %d', (random, expected) => {
  const options = { initialMs: 500, maxMs: 30_000, random: () => random };
  expect([0, 1, 2, 10, 5_000].map((attempt) => backoffDelay(attempt, options))).toEqual(expected);
});

test('respects the requested minimum delay, up to the maximum', () => {
  const options = { initialMs: 500, maxMs: 30_000, random: () => 0 };
  expect(backoffDelay(0, { ...options, minMs: 7_000 })).toBe(7_000);
  expect(backoffDelay(3, { ...options, minMs: 1 })).toBe(4_000);
  expect(backoffDelay(0, { ...options, minMs: 3_600_000 })).toBe(30_000);
});
