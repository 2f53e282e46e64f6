import type { Clock } from '../base/clock.js';
import type { BrokerStatus } from '../celery/broker.js';
import type { Book } from './book.js';
import type { Executor } from './executor/executor.js';
import type { WorkerHandle } from './handle.js';
import type { Intake } from './intake.js';
import { tailLog } from './log-tail.js';
import type { CancelSource } from './run.js';
import { createSnapshots } from './view.js';

/** Listeners are called at most so often, in milliseconds apart. */
const tellEveryMs = 200;

export interface HandleSources {
  profile: string;
  startedAt: number;
  book: Book;
  executor: Executor;
  intake: Intake;
  limit: number;
  broker: () => BrokerStatus;
  trouble: () => string | null;
  requestCancel: (id: string, by: CancelSource) => Promise<boolean>;
  clock: Clock;
}

/** The handle on a worker in this process. `changed` tells its listeners; `close` silences it. */
export function createHandle(sources: HandleSources): WorkerHandle & { changed(): void; close(): void } {
  const { book, executor, intake } = sources;
  const { tracker } = executor;
  const listeners = new Set<() => void>();
  let timer: NodeJS.Timeout | null = null;

  const changed = (): void => {
    if (listeners.size === 0) return;
    timer ??= setTimeout(() => {
      timer = null;
      for (const listener of listeners) listener();
    }, tellEveryMs);
  };
  const stopListening = [book.subscribe(changed), tracker.onAnswer(changed)];

  return {
    snapshot: createSnapshots({
      profile: sources.profile,
      book,
      startedAt: sources.startedAt,
      broker: sources.broker,
      intake: () => intake.state(),
      inFlightLimit: sources.limit,
      trouble: sources.trouble,
      jobs: () => tracker.view(),
    }),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    followLog: (runId, listener) =>
      tailLog(() => book.get(runId)?.submission?.logFile ?? null, listener, sources.clock),
    async cancelRun(runId) {
      const run = book.get(runId);
      if (run === undefined) return { ok: false, said: 'There is no such run.' };
      if (run.stage === 'finished' || run.outcome !== null) {
        return { ok: false, said: 'The run has ended already.' };
      }
      if (run.jobId === null || run.end !== null) {
        await sources.requestCancel(runId, 'operator');
        const said =
          run.end === null
            ? 'The run will be canceled before it gets a Slurm job.'
            : 'The run will be canceled; its Slurm job has ended already.';
        return { ok: true, said };
      }
      // the operator is to see what scancel says; the run is only canceled if scancel agreed
      const answer = await executor.cancel([run.jobId]);
      if (answer.ok) await sources.requestCancel(runId, 'operator');
      tracker.nudge();
      return { ok: answer.ok, said: answer.said === '' ? `scancel ${run.jobId}: done` : answer.said };
    },
    async cancelJob(jobId) {
      const answer = await executor.cancel([jobId]);
      tracker.nudge();
      return { ok: answer.ok, said: answer.said === '' ? `scancel ${jobId}: done` : answer.said };
    },
    async pause() {
      intake.setPaused(true);
      changed();
    },
    async resume() {
      intake.setPaused(false);
      changed();
    },
    changed,
    close() {
      for (const stop of stopListening) stop();
      if (timer !== null) clearTimeout(timer);
      listeners.clear();
    },
  };
}
