import { expect, test } from 'vitest';

import { systemClock } from '../../../src/base/clock.js';

test('sleeps longer than the maximum of a timer (24.8 days)', async () => {
  const stop = new AbortController();
  let awake = false;
  const slept = (async () => {
    await systemClock.sleep(2 ** 31, stop.signal);
    awake = true;
  })();
  await systemClock.sleep(20);
  expect(awake).toBe(false);
  stop.abort();
  await slept;
});
