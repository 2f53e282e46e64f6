import type { Clock } from '../../base/clock.js';
import type { Executor } from '../executor/executor.js';
import type { SchedulerView } from './live-views.js';
import { createPolledWatch, type Watch } from './watch.js';

/** Shortest time between two queries, also if the page is closed and opened again; and the usual one. */
const minGapMs = 10_000;
const usualMs = 15_000;

/** The statistics of Slurm's controller, queried only while somebody looks at them. */
export function watchScheduler(
  executor: Pick<Executor, 'schedulerStatistics'>,
  pollMs: number,
  clock: Clock,
): Watch<SchedulerView> {
  let askedAt: number | null = null;
  return createPolledWatch<SchedulerView>({
    first: { sections: [], at: null, trouble: null },
    async ask(last) {
      if (askedAt !== null && clock.monotonic() - askedAt < minGapMs) return last;
      askedAt = clock.monotonic();
      const answer = await executor.schedulerStatistics();
      return answer.kind === 'silence'
        ? { ...last, trouble: answer.why }
        : { sections: answer.sections, at: clock.now(), trouble: null };
    },
    everyMs: Math.max(usualMs, pollMs),
    clock,
  });
}
