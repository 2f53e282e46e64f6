import type { Clock } from '../base/clock.js';
import type { ControlTarget, ControlTask } from '../celery/broker.js';
import { runnableTasks } from '../girder/task-names.js';
import type { Book } from './book.js';
import type { Run } from './run.js';

/** What Celery's remote control, and with it Girder's worker page, sees of this worker: Celery's words for our runs. */
export function createControlTarget({
  book,
  clock,
  limit,
  revoked,
  revoke,
}: {
  book: Book;
  clock: Pick<Clock, 'now'>;
  limit: number;
  revoked: () => string[];
  revoke: ControlTarget['revoke'];
}): ControlTarget {
  const runsWhere = (wanted: (run: Run) => boolean): ControlTask[] =>
    [...book.all()].filter(wanted).map((run) => ({
      id: run.id,
      name: run.task.name,
      queue: run.task.queue,
      redelivered: run.task.redelivered,
      eta: run.task.eta,
      startedAt: isActive(run) ? run.acceptedAt : null,
    }));
  const isDue = ({ task }: Run) => task.eta === null || Date.parse(task.eta) <= clock.now();
  return {
    revoke,
    active: () => runsWhere(isActive),
    reserved: () => runsWhere((run) => run.stage === 'accepted' && isDue(run)),
    scheduled: () => runsWhere((run) => run.stage === 'accepted' && !isDue(run)),
    revoked,
    totals() {
      const totals: Record<string, number> = {};
      for (const { task } of book.all()) totals[task.name] = (totals[task.name] ?? 0) + 1;
      return totals;
    },
    concurrency: () => limit,
    registered: () => [...runnableTasks].sort(),
  };
}

function isActive({ stage }: Run): boolean {
  return stage !== 'accepted' && stage !== 'finished';
}
