import type { Log } from '../../base/log.js';
import { shortestPollSeconds, type ClusterInfo } from '../../slurm/site.js';
import type { Tracker } from '../../slurm/tracker.js';
import type { CommandAnswer } from '../views/handle.js';

/** Seconds between two questions that an operator goes through. */
const steps = [1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 300];
/** More often than this only a profile makes it. */
const usualFloor = 5;

export interface PollIntervalOptions {
  tracker: Pick<Tracker, 'everyMs' | 'setPollInterval'>;
  /** What the profile says. */
  pollSeconds: number;
  site: (() => Promise<ClusterInfo>) | null;
}

/** Changes how often Slurm is asked, step by step and within the site's budget, until the worker ends. */
export function createPollInterval({
  tracker,
  pollSeconds,
  site,
}: PollIntervalOptions): (change: 'more' | 'less') => Promise<CommandAnswer> {
  return async (change) => {
    const everyMs = tracker.everyMs();
    if (everyMs === null) return { ok: false, said: 'Jobs of this host are looked at all the time.' };
    const now = everyMs / 1_000;
    const least = shortestPollSeconds((await site?.()) ?? { rateLimit: null });
    const floor = Math.max(Math.min(usualFloor, pollSeconds), least);
    const next =
      change === 'less'
        ? steps.find((step) => step > now)
        : steps.findLast((step) => step < now && step >= floor);
    if (next === undefined) {
      const why =
        change === 'less'
          ? 'more seldom it makes no sense'
          : now <= least
            ? 'that is a quarter of what the site allows one user'
            : 'more often only a profile makes it (slurm.pollSeconds)';
      return { ok: false, said: `Slurm is asked every ${now} s; ${why}.` };
    }
    tracker.setPollInterval(next * 1_000);
    return { ok: true, said: `Slurm is now asked every ${next} s.` };
  };
}

/** Asks Slurm less often than the profile says where the site's rate limit for one user asks for that. Never rejects. */
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
    'the site limits the requests of one user: Slurm is asked less often than slurm.pollSeconds says',
  );
  tracker.setPollInterval(seconds * 1_000);
}
