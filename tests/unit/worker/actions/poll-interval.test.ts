import { expect, test } from 'vitest';

import type { Site } from '../../../../src/slurm/site.js';
import { createPace } from '../../../../src/worker/actions/poll-interval.js';

function pace(everyMs: number | null, pollSeconds = 10, perSecond: number | null = null) {
  let ms = everyMs;
  const rateLimit = perSecond === null ? null : { burst: 30, perSecond };
  const site = async (): Promise<Site> => ({
    version: '22.05.8',
    cluster: null,
    minJobAge: null,
    accounting: null,
    partitions: null,
    rateLimit,
  });
  const tracker = { everyMs: () => ms, askEvery: (next: number) => void (ms = next) };
  return { change: createPace({ tracker, pollSeconds, site }), seconds: () => (ms ?? 0) / 1_000 };
}

test.each<[string, 'more' | 'less', Parameters<typeof pace>, number, boolean, string]>([
  ['less often', 'less', [10_000], 15, true, 'every 15 s.'],
  ['from between two steps', 'less', [12_000], 15, true, 'every 15 s.'],
  ['more often', 'more', [15_000], 10, true, 'every 10 s.'],
  ['not below five seconds', 'more', [5_000], 5, false, 'only a profile makes it'],
  ['below where the profile is', 'more', [3_000, 2], 2, true, 'every 2 s.'],
  ['not beyond the longest', 'less', [300_000], 300, false, 'more seldom it makes no sense'],
])('%s', async (_, change, args, seconds, ok, words) => {
  const { change: ask, seconds: now } = pace(...args);
  const first = await ask(change);
  expect([now(), first.ok]).toEqual([seconds, ok]);
  expect(first.said).toContain(words);
});

test('the budget of a site holds whatever the profile says', async () => {
  const { change, seconds } = pace(20_000, 1, 0.5);
  await change('more');
  await change('more');
  // half a question a second is the limit, and one in eight seconds a quarter of that
  expect(await change('more')).toMatchObject({ ok: false });
  expect(seconds()).toBe(10);
});

test('a host that runs its jobs itself asks nobody', async () => {
  expect(await pace(null).change('more')).toMatchObject({ ok: false });
});
