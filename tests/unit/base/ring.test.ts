import { expect, test } from 'vitest';
import { createRing } from '../../../src/base/ring.js';

test('a ring keeps the last items', () => {
  const ring = createRing<number>(3);
  for (const item of [1, 2, 3, 4]) ring.push(item);
  expect(ring.items()).toEqual([2, 3, 4]);
});
