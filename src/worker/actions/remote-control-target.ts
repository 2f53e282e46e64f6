import type { Clock } from '../../base/clock.js';
import type { ControlTarget, ControlTask } from '../../celery/broker.js';
import { runnableTasks } from '../../girder/protocol/task-names.js';
import type { RunStore } from '../run-state/run-store.js';
import type { Run } from '../run-state/run.js';

/** What Celery's remote control, and with it Girder's worker page, sees of this worker: Celery's words for our runs. */
export function createControlTarget({
  runStore,
  clock,
  limit,
  revoked,
  revoke,
  shutdown,
}: {
  runStore: RunStore;
  clock: Pick<Clock, 'now'>;
  limit: number;
  revoked: () => string[];
  revoke: ControlTarget['revoke'];
  shutdown: ControlTarget['shutdown'];
}): ControlTarget {
  const runsWhere = (wanted: (run: Run) => boolean): ControlTask[] =>
    [...runStore.all()].filter(wanted).map((run) => ({
      id: run.id,
      name: run.task.name,
      queue: run.task.queue,
      redelivered: run.task.redelivered,
      eta: run.task.eta,
      priority: run.task.priority ?? 0,
      startedAt: run.stages.find(({ stage }) => stage !== 'accepted' && stage !== 'finished')?.at ?? null,
    }));
  const isDue = ({ task }: Run) => task.eta === null || Date.parse(task.eta) <= clock.now();
  const totals = countBegun(runStore);
  return {
    revoke,
    shutdown,
    active: () => runsWhere(isActive),
    reserved: () => runsWhere((run) => run.stage === 'accepted' && isDue(run)),
    scheduled: () => runsWhere((run) => run.stage === 'accepted' && !isDue(run)),
    ready: () => runsWhere((run) => run.stage === 'finished'),
    revoked,
    totals: () => Object.fromEntries(totals),
    concurrency: () => limit,
    registered: () => [...runnableTasks].sort(),
  };
}

/**
 * Counts runs by task name as they begin. Girder's page shows the count as "accepted", and without the active ones as
 * "completed", so a run that waits is not in it, nor one that is canceled while it does.
 */
function countBegun(runStore: RunStore): ReadonlyMap<string, number> {
  const totals = new Map<string, number>();
  const begun = new Set<string>();
  const begin = ({ id, task: { name } }: Run): void => {
    if (begun.has(id)) return;
    begun.add(id);
    totals.set(name, (totals.get(name) ?? 0) + 1);
  };
  for (const run of runStore.all()) if (isActive(run)) begin(run);
  runStore.subscribe((run, event) => {
    if (isActive(run) || (event.type === 'finished' && run.outcome !== 'canceled')) begin(run);
    if (event.type === 'finished') begun.delete(run.id);
  });
  return totals;
}

/** From its turn to fetch its inputs on until the end has been told. */
function isActive({ stage }: Run): boolean {
  return stage !== 'accepted' && stage !== 'finished';
}
