import type { TaskEvent } from '../../celery/control/events.js';
import { pythonRepr } from '../../celery/messages/python-repr.js';
import type { RunStore } from '../run-state/run-store.js';
import type { JobEnd, Run } from '../run-state/run.js';

/** SIGTERM: what Slurm sends first to a job that is canceled. */
const signalOfCancel = 15;

/**
 * Tells what happens to runs in Celery's words (contract, section h). `task-started` is the start of the job; the
 * end is told when Girder has been told, as Celery does after the task's own code. Returns the way to stop.
 */
export function publishTaskEvents(runStore: RunStore, tell: (event: TaskEvent) => void): () => void {
  const startedAt = new Map<string, number>();
  return runStore.subscribe((run, event) => {
    const uuid = run.id;
    switch (event.type) {
      case 'accepted':
        return tell({ type: 'task-received', uuid, ...receivedFields(run) });
      case 'started':
        startedAt.set(uuid, event.at);
        return tell({ type: 'task-started', uuid });
      case 'job-ended':
        // so short that nobody saw it run: readers want to hear of a start all the same
        if (hasRun(event.end) && !run.stages.some(({ stage }) => stage === 'running'))
          tell({ type: 'task-started', uuid });
        return;
      case 'finished': {
        // a job that started before this worker did has no better time than its task's
        const runtime = (event.at - (startedAt.get(uuid) ?? run.acceptedAt)) / 1_000;
        startedAt.delete(uuid);
        return tell(endOf(run, runtime));
      }
      default:
    }
  });
}

/** Slurm ends some jobs that never had a computer. */
function hasRun({ outcome, state }: JobEnd): boolean {
  return outcome !== 'canceled' && !['BOOT_FAIL', 'DEADLINE', ''].includes(state.base);
}

function receivedFields({ task }: Run): Omit<Extract<TaskEvent, { type: 'task-received' }>, 'type' | 'uuid'> {
  const { name, rootId, parentId, retries, eta, expires } = task;
  return { name, args: '()', kwargs: '{}', root_id: rootId, parent_id: parentId, retries, eta, expires };
}

function endOf({ id: uuid, outcome, reason, cancel }: Run, runtime: number): TaskEvent {
  switch (outcome) {
    case 'succeeded':
      return { type: 'task-succeeded', uuid, result: 'None', runtime };
    case 'canceled': {
      const expired = cancel?.by === 'expiry';
      // in agreement with the result that a waiting caller gets
      const terminated = cancel === null || cancel.by === 'termination';
      return { type: 'task-revoked', uuid, terminated, signum: terminated ? signalOfCancel : null, expired };
    }
    default:
      return {
        type: 'task-failed',
        uuid,
        exception: `RuntimeError(${pythonRepr(reason ?? 'The analysis failed.', 1_000)})`,
        traceback: '',
      };
  }
}
