import type { Clock } from '../../base/clock.js';
import type { Executor } from '../executor/executor.js';
import type { AccountingView, SchedulerView } from './live-views.js';
import { createPolledWatch, type Watch } from './watch.js';

/** The statistics of Slurm's controller, queried only while somebody looks at them. */
export function watchScheduler(
  executor: Pick<Executor, 'schedulerStatistics'>,
  pollMs: number,
  clock: Clock,
): Watch<SchedulerView> {
  return createPolledWatch<SchedulerView>({
    first: { sections: [], at: null, problem: null },
    async ask(last) {
      const answer = await executor.schedulerStatistics();
      return answer.kind === 'silence'
        ? { ...last, problem: answer.why }
        : { sections: answer.sections, at: clock.now(), problem: null };
    },
    everyMs: Math.max(15_000, pollMs),
    minGapMs: 10_000,
    clock,
  });
}

const dayMs = 24 * 60 * 60_000;

/** Further jobs are only counted. */
const maxJobs = 1_000;

/** The user's jobs of the last day in the accounting database, queried only while somebody looks at them. */
export function watchAccounting(
  executor: Pick<Executor, 'accountedJobs'>,
  clock: Clock,
): Watch<AccountingView> {
  return createPolledWatch<AccountingView>({
    first: { isKept: null, jobs: [], omitted: 0, at: null, problem: null },
    async ask(last) {
      const answer = await executor.accountedJobs(clock.now() - dayMs);
      if (answer.kind === 'silence') return { ...last, problem: answer.why };
      const jobs = answer.kind === 'jobs' ? answer.jobs : [];
      return {
        isKept: answer.kind === 'jobs',
        jobs: jobs.slice(0, maxJobs),
        omitted: Math.max(0, jobs.length - maxJobs),
        at: clock.now(),
        problem: null,
      };
    },
    everyMs: 60_000,
    minGapMs: 30_000,
    clock,
  });
}
