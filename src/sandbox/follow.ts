import type { JobRow } from '../slurm/job.js';
import { phaseOf } from '../slurm/states.js';
import { stages as runStages } from '../worker/run-state/run.js';
import type { RunView, WorkerHandle } from '../worker/views/handle.js';
import type { DemoCase } from './batch.js';
import type { FakeGirder } from './fake-girder/index.js';
import { jobStatus } from './fake-girder/rules.js';

/** Follows a batch. */
export interface Follower {
  /**
   * Resolves once every case has ended in Girder and in the worker, and squeue shows the ends of their jobs, which may take a
   * moment longer. The value is how many seconds after the call the last case had ended. Rejects when the signal aborts.
   */
  done: Promise<number>;
  runOf(demo: DemoCase): RunView | undefined;
  jobOf(demo: DemoCase): JobRow | undefined;
  stop(): void;
}

/** How long after the end of the last case squeue may take to show the ends of the jobs. */
const lastRowsMs = 5_000;
const over: readonly number[] = [jobStatus.success, jobStatus.error, jobStatus.canceled];

/**
 * Watches the worker through its handle, remembers the last state of every run and job, and cancels the cases whose
 * expected outcome is `canceled` as soon as they run.
 */
export function followBatch({
  handle,
  girder,
  cases,
  onCounts,
  signal,
  timeoutMs,
}: {
  handle: WorkerHandle;
  girder: FakeGirder;
  cases: readonly DemoCase[];
  /** Called when the numbers of runs by stage change: `3 queued, 2 running, 7 finished`. */
  onCounts: (text: string) => void;
  signal: AbortSignal;
  timeoutMs: number;
}): Follower {
  const runs = new Map<string, RunView>();
  const jobs = new Map<string, JobRow>();
  const canceled = new Set<string>();
  let counts = '';
  const started = performance.now();
  const finish = Promise.withResolvers<number>();
  let endedAt: number | null = null;
  const end = (): void => finish.resolve(((endedAt ?? performance.now()) - started) / 1_000);
  const jobOf = (demo: DemoCase) => jobs.get(runs.get(demo.taskId)?.jobId ?? '');
  const hasEndedInSlurm = (demo: DemoCase): boolean => {
    const row = jobOf(demo);
    return row !== undefined && phaseOf(row.state, row.reason) === 'ended';
  };

  const update = () => {
    const snapshot = handle.snapshot();
    for (const run of snapshot.runs) runs.set(run.id, run);
    for (const row of snapshot.jobs.rows) jobs.set(row.id, row);
    for (const demo of cases) {
      const run = runs.get(demo.taskId);
      if (demo.expected !== 'canceled' || run?.stage !== 'running') continue;
      if (canceled.has(demo.taskId)) continue;
      canceled.add(demo.taskId);
      girder.cancel(demo.girderJobId).catch(finish.reject);
    }
    const text = countText(cases.map((demo) => runs.get(demo.taskId)?.stage ?? 'published'));
    if (text !== counts) onCounts((counts = text));
    const left = cases.filter((demo) => {
      const status = girder.job(demo.girderJobId)?.status ?? 0;
      return !over.includes(status) || runs.get(demo.taskId)?.stage !== 'finished';
    });
    if (left.length > 0) return;
    endedAt ??= performance.now();
    if (cases.every(hasEndedInSlurm) || performance.now() - endedAt > lastRowsMs) end();
  };

  const unsubscribe = handle.subscribe(update);
  // The Girder jobs can change without an event from the worker's handle.
  const timer = setInterval(update, 500);
  // Cases that have not ended by then are shown as they are.
  const deadline = setTimeout(end, timeoutMs);
  const abort = () => finish.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  return {
    done: finish.promise,
    runOf: (demo) => runs.get(demo.taskId),
    jobOf,
    stop() {
      unsubscribe();
      clearInterval(timer);
      clearTimeout(deadline);
      signal.removeEventListener('abort', abort);
    },
  };
}

function countText(stages: readonly string[]): string {
  const order = ['published', ...runStages];
  return order
    .map((stage) => [stages.filter((each) => each === stage).length, stage] as const)
    .filter(([count]) => count > 0)
    .map(([count, stage]) => `${count} ${stage}`)
    .join(', ');
}
