import type { Clock } from '../../base/clock.js';
import { createKeyedLimiter } from '../../base/keyed-limiter.js';

/** How long a run may occupy a place, in milliseconds. */
const placeMs = 2_000;

/**
 * Lets few runs at a time be on their way from their first report to Girder to sbatch. Of a thousand new runs the first ones
 * are then submitted before the last ones are reported, and Slurm need not wait for the reports of all.
 *
 * A run whose download, Girder or Slurm takes long gives up its place after a moment, so that it does not delay the others.
 */
export interface Preparation {
  /**
   * Waits for a place, in order of arrival.
   * @param key names the Girder servers of the run: a slow one delays only its own runs
   * @returns leaves the place; calling it again does nothing
   * @throws the reason of `signal` if it aborts first
   */
  enter(key: string, signal: AbortSignal): Promise<() => void>;
}

/** @param places runs per key at a time */
export function createPreparation(places: number, clock: Pick<Clock, 'sleep'>): Preparation {
  const limiter = createKeyedLimiter(places);
  return {
    async enter(key, signal) {
      const release = await limiter.acquire(key, signal);
      const left = new AbortController();
      void clock.sleep(placeMs, left.signal).then(release);
      // with a reason of its own, because the default one is an error that would keep its stack as long as the run
      return () => left.abort('left');
    },
  };
}
