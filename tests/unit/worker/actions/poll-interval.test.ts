import { expect, test } from 'vitest';

import { silentLog } from '../../../../src/base/log.js';
import type { ClusterInfo } from '../../../../src/slurm/site.js';
import { createPollInterval, keepWithinBudget } from '../../../../src/worker/actions/poll-interval.js';

function pace(everyMs: number | null, pollSeconds = 10, perSecond: number | null = null) {
  let ms = everyMs;
  const rateLimit = perSecond === null ? null : { burst: 30, perSecond };
  const site = async (): Promise<ClusterInfo> => ({
    version: '22.05.8',
    cluster: null,
    minJobAge: null,
    accounting: null,
    enforced: null,
    privateData: [],
    partitions: null,
    rateLimit,
  });
  const tracker = { everyMs: () => ms, setPollInterval: (next: number) => void (ms = next) };
  const tools = { tracker, pollSeconds, site };
  return { tools, change: createPollInterval(tools), seconds: () => (ms ?? 0) / 1_000 };
}

test.each<[string, 'more' | 'less', Parameters<typeof pace>, number, boolean, string]>([
  ['less often', 'less', [10_000], 15, true, 'every 15 s.'],
  ['from between two steps', 'less', [12_000], 15, true, 'every 15 s.'],
  ['more often', 'more', [15_000], 10, true, 'every 10 s.'],
  [
    'not below five seconds',
    'more',
    [5_000],
    5,
    false,
    'shorter intervals need the setting slurm.pollSeconds',
  ],
  ['below where the profile is', 'more', [3_000, 2], 2, true, 'every 2 s.'],
  ['not beyond the longest', 'less', [300_000], 300, false, 'that is the longest interval'],
])('%s', async (_, change, args, seconds, ok, words) => {
  const { change: ask, seconds: now } = pace(...args);
  const first = await ask(change);
  expect([now(), first.ok]).toEqual([seconds, ok]);
  expect(first.message).toContain(words);
});

test('the budget of a site holds whatever the profile says', async () => {
  const { change, seconds } = pace(60_000, 1, 0.5);
  await change('more');
  // half a request a second is the limit; a question makes three, and may take a quarter of it: one in 24 seconds
  expect(await change('more')).toMatchObject({ ok: false });
  expect(seconds()).toBe(30);
});

test.each<[string, number | null, number, number]>([
  ['too often for the budget of the site', 0.5, 10, 24],
  ['within the budget', 2, 10, 10],
  ['without a limit', null, 1, 1],
])('a profile that asks %s', async (_, perSecond, pollSeconds, seconds) => {
  const { tools, seconds: now } = pace(pollSeconds * 1_000, pollSeconds, perSecond);
  await keepWithinBudget(tools, silentLog());
  expect(now()).toBe(seconds);
});

test('a host that runs its jobs itself asks nobody', async () => {
  expect(await pace(null).change('more')).toMatchObject({ ok: false });
});
