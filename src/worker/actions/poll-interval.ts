import type { Log } from '../../base/log.js';
import { shortestPollSeconds, type ClusterInfo } from '../../slurm/site.js';
import type { Tracker } from '../../slurm/tracker.js';
import type { CommandAnswer } from '../views/handle.js';

/** Poll intervals in seconds that an operator can step through. */
const steps = [1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 300];
/** Shorter intervals are possible only with `slurm.pollSeconds`. */
const minStep = 5;

export interface PollIntervalOptions {
  tracker: Pick<Tracker, 'everyMs' | 'setPollInterval'>;
  /** Setting `slurm.pollSeconds`. */
  pollSeconds: number;
  site: (() => Promise<ClusterInfo>) | null;
}

/** Changes the poll interval step by step and within the site's rate limit, until the worker stops. */
export function createPollInterval({
  tracker,
  pollSeconds,
  site,
}: PollIntervalOptions): (change: 'more' | 'less') => Promise<CommandAnswer> {
  return async (change) => {
    const everyMs = tracker.everyMs();
    if (everyMs === null) return { ok: false, message: 'Jobs of this host are not polled.' };
    const now = everyMs / 1_000;
    const least = shortestPollSeconds((await site?.()) ?? { rateLimit: null });
    const floor = Math.max(Math.min(minStep, pollSeconds), least);
    const next =
      change === 'less'
        ? steps.find((step) => step > now)
        : steps.findLast((step) => step < now && step >= floor);
    if (next === undefined) {
      const why =
        change === 'less'
          ? 'that is the longest interval'
          : now <= least
            ? 'that is a quarter of what the site allows one user'
            : 'shorter intervals need the setting slurm.pollSeconds';
      return { ok: false, message: `Slurm is polled every ${now} s; ${why}.` };
    }
    tracker.setPollInterval(next * 1_000);
    return { ok: true, message: `Slurm is now polled every ${next} s.` };
  };
}

/** Increases the poll interval if the site's rate limit for one user requires it. Never rejects. */
export async function keepWithinBudget(
  { tracker, pollSeconds, site }: PollIntervalOptions,
  log: Log,
): Promise<void> {
  if (site === null || tracker.everyMs() === null) return;
  const least = shortestPollSeconds(await site());
  if (least <= pollSeconds) return;
  const seconds = Math.ceil(least);
  log.warn(
    { pollSeconds, seconds },
    'the site limits the requests of one user: Slurm is polled less often than slurm.pollSeconds says',
  );
  tracker.setPollInterval(seconds * 1_000);
}
