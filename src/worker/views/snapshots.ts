import type { BrokerStatus } from '../../celery/broker.js';
import type { RunStore } from '../run-state/run-store.js';
import type { JobsView, RunView, WorkerHealth, WorkerSnapshot } from './handle.js';
import type { Run } from '../run-state/run.js';

/** Maximum number of finished runs in a snapshot. */
const maxFinished = 500;

/** The data of a snapshot. */
export interface SnapshotSources {
  profile: string;
  executor: WorkerSnapshot['executor'];
  runStore: RunStore;
  viewOf: (run: Run) => RunView;
  startedAt: number;
  broker: () => BrokerStatus;
  intake: () => WorkerHealth['intake'];
  drainedAt: () => number | null;
  inFlightLimit: number;
  problem: () => string | null;
  jobs: () => JobsView;
}

/** Returns a function that makes views of runs; an unchanged run has the same view. */
export function createRunViews(): (run: Run) => RunView {
  const views = new WeakMap<Run, RunView>();
  return (run) => {
    const view = views.get(run) ?? runView(run);
    views.set(run, view);
    return view;
  };
}

/** Returns a function that takes snapshots, in which unchanged parts keep their identity. */
export function createSnapshots(sources: SnapshotSources): () => WorkerSnapshot {
  const { viewOf } = sources;
  const link = { kind: 'inside' } as const;
  let last: WorkerSnapshot | null = null;

  return () => {
    const active: RunView[] = [];
    const finished: RunView[] = [];
    for (const run of sources.runStore.all())
      (run.stage === 'finished' ? finished : active).push(viewOf(run));
    finished.sort((a, b) => (b.finishedAt ?? 0) - (a.finishedAt ?? 0));
    const runs = [...active, ...finished.slice(0, maxFinished)];
    const next: WorkerSnapshot = {
      profile: sources.profile,
      executor: sources.executor,
      link,
      health: {
        startedAt: sources.startedAt,
        broker: sources.broker(),
        intake: sources.intake(),
        drainedAt: sources.drainedAt(),
        inFlight: sources.runStore.inFlight(),
        inFlightLimit: sources.inFlightLimit,
        finished: sources.runStore.finished(),
        problem: sources.runStore.problem() ?? sources.problem(),
      },
      runs: last !== null && sameItems(last.runs, runs) ? last.runs : runs,
      jobs: sources.jobs(),
    };
    if (
      last !== null &&
      last.runs === next.runs &&
      last.jobs === next.jobs &&
      sameHealth(last.health, next.health)
    ) {
      return last;
    }
    last = next;
    return next;
  };
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

function sameHealth(a: WorkerHealth, b: WorkerHealth): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function runView(run: Run): RunView {
  const { total, current, message } = run.progress ?? { total: null, current: null, message: null };
  const share =
    total !== null && current !== null && total > 0 ? Math.min(1, Math.max(0, current / total)) : null;
  return {
    id: run.id,
    stage: run.stage,
    outcome: run.outcome,
    stageSince: run.stageSince,
    acceptedAt: run.acceptedAt,
    finishedAt: run.finishedAt,
    ...run.description,
    jobId: run.jobId,
    progress: share,
    progressMessage: message,
    reason: run.reason ?? run.girderProblem ?? run.waitingReason,
    cancelRequested: run.cancel !== null,
  };
}
