import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import type { ControlTarget, ControlTask } from '../../celery/broker.js';
import { runnableTasks } from '../../girder/protocol/task-names.js';
import type { RunStore } from '../run-state/run-store.js';
import type { RevokedTasks } from '../run-state/revoked-tasks.js';
import type { Run } from '../run-state/run.js';
import type { RunScheduler } from '../scheduler.js';

/** The runs of this worker as Celery's remote control, and with it Girder's worker page, sees them. */
export function createControlTarget({
  runStore,
  clock,
  limit,
  revoked,
  cancelSoon,
  shutdown,
  log,
}: {
  runStore: RunStore;
  clock: Pick<Clock, 'now'>;
  limit: number;
  revoked: Pick<RevokedTasks, 'add' | 'ids'>;
  cancelSoon: RunScheduler['cancelSoon'];
  shutdown: ControlTarget['shutdown'];
  log: Log;
}): ControlTarget {
  const runsWhere = (matches: (run: Run) => boolean): ControlTask[] =>
    [...runStore.all()].filter(matches).map((run) => ({
      id: run.id,
      name: run.task.name,
      queue: run.task.queue,
      redelivered: run.task.redelivered,
      eta: run.task.eta,
      priority: run.task.priority ?? 0,
      startedAt: run.stages.find(({ stage }) => stage !== 'accepted' && stage !== 'finished')?.at ?? null,
    }));
  const isDue = ({ task }: Run) => task.eta === null || Date.parse(task.eta) <= clock.now();
  const totals = countStarted(runStore);
  return {
    revoke(ids, terminate) {
      revoked
        .add(ids)
        .catch((error: unknown) => log.error({ err: error }, 'could not save the list of revoked tasks'));
      for (const id of ids) {
        const hasBegun = (runStore.get(id)?.stage ?? 'accepted') !== 'accepted';
        cancelSoon(id, terminate && hasBegun ? 'termination' : 'celery');
      }
    },
    shutdown,
    active: () => runsWhere(isActive),
    activeCount: () => countActive(runStore.all()),
    reserved: () => runsWhere((run) => run.stage === 'accepted' && isDue(run)),
    scheduled: () => runsWhere((run) => run.stage === 'accepted' && !isDue(run)),
    ready: () => runsWhere((run) => run.stage === 'finished'),
    revoked: revoked.ids,
    totals: () => Object.fromEntries(totals),
    concurrency: () => limit,
    registered: () => [...runnableTasks].sort(),
  };
}

/**
 * Counts started runs by task name. Girder's page shows this count as "accepted", and without the active ones as "completed", so
 * it does not include waiting runs, nor those that are canceled while they wait.
 */
function countStarted(runStore: RunStore): ReadonlyMap<string, number> {
  const totals = new Map<string, number>();
  const started = new Set<string>();
  const start = ({ id, task: { name } }: Run): void => {
    if (started.has(id)) return;
    started.add(id);
    totals.set(name, (totals.get(name) ?? 0) + 1);
  };
  for (const run of runStore.all()) if (isActive(run)) start(run);
  runStore.subscribe((run, event) => {
    if (isActive(run) || (event.type === 'finished' && run.outcome !== 'canceled')) start(run);
    if (event.type === 'finished') started.delete(run.id);
  });
  return totals;
}

function countActive(runs: Iterable<Run>): number {
  let count = 0;
  for (const run of runs) if (isActive(run)) count += 1;
  return count;
}

/** From staging until its end is reported. */
function isActive({ stage }: Run): boolean {
  return stage !== 'accepted' && stage !== 'finished';
}
