import { expect, test } from 'vitest';

import { formatAge, formatDuration } from '../../../src/base/text/duration.js';

test.each([
  [-5, '0s'],
  [2_999, '2s'],
  [59_999, '59s'],
  [60_000, '1m 00s'],
  [125_000, '2m 05s'],
  [7_500_000, '2h 05m'],
  [86_399_000, '23h 59m'],
  [273_600_000, '3d 04h'],
])('formats an age of %i ms as %s', (ms, text) => {
  expect(formatAge(ms)).toBe(text);
});

test.each([
  [-1, '0ms'],
  [120, '120ms'],
  [3_440, '3.4s'],
  [12_000, '12s'],
  [240_000, '4m 00s'],
])('formats a duration of %i ms as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
