import type { TaskEvent } from '../../celery/control/events.js';
import { pythonStringRepr } from '../../celery/messages/python-repr.js';
import type { RunStore } from '../run-state/run-store.js';
import type { RecordedJobEnd, Run } from '../run-state/run.js';

/** SIGTERM: the first signal that Slurm sends to a canceled job. */
const cancelSignal = 15;

/**
 * Publishes Celery events for runs (contract, section h). `task-started` is the start of the job; the end is published
 * after Girder has the outcome.
 * @returns a function that stops publishing
 */
export function publishTaskEvents(runStore: RunStore, publish: (event: TaskEvent) => void): () => void {
  const startedAt = new Map<string, number>();
  return runStore.subscribe((run, event) => {
    const uuid = run.id;
    switch (event.type) {
      case 'accepted':
        return publish({ type: 'task-received', uuid, ...receivedFields(run) });
      case 'started':
        startedAt.set(uuid, event.at);
        return publish({ type: 'task-started', uuid });
      case 'job-ended':
        // too short to be seen running: consumers of events still expect a start
        if (hasRun(event.end) && !run.stages.some(({ stage }) => stage === 'running'))
          publish({ type: 'task-started', uuid });
        return;
      case 'finished': {
        // the start of a job that began before this worker started is unknown; use the task's
        const runtime = (event.at - (startedAt.get(uuid) ?? run.acceptedAt)) / 1_000;
        startedAt.delete(uuid);
        return publish(endOf(run, runtime));
      }
      default:
    }
  });
}

/** Slurm ends some jobs that never got a node. */
function hasRun({ outcome, state }: RecordedJobEnd): boolean {
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
      // consistent with the Celery result
      const terminated = cancel === null || cancel.by === 'termination';
      return { type: 'task-revoked', uuid, terminated, signum: terminated ? cancelSignal : null, expired };
    }
    default:
      return {
        type: 'task-failed',
        uuid,
        exception: `RuntimeError(${pythonStringRepr(reason ?? 'The analysis failed.', 1_000)})`,
        traceback: '',
      };
  }
}
