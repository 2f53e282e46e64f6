import type { JobRow } from '../slurm/job.js';
import type { RunView, WorkerHandle } from '../worker/views/handle.js';
import type { DemoCase } from './batch.js';
import type { FakeGirder } from './fake-girder/index.js';
import { jobStatus } from './fake-girder/rules.js';

/** Follows a batch. */
export interface Follower {
  /**
   * Resolves with the seconds since the call once every case has ended in Girder and in the worker; rejects when the signal
   * aborts.
   */
  done: Promise<number>;
  runOf(demo: DemoCase): RunView | undefined;
  jobOf(demo: DemoCase): JobRow | undefined;
  stop(): void;
}

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
  const end = (): void => finish.resolve((performance.now() - started) / 1_000);

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
    if (left.length === 0) end();
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
    jobOf: (demo) => jobs.get(runs.get(demo.taskId)?.jobId ?? ''),
    stop() {
      unsubscribe();
      clearInterval(timer);
      clearTimeout(deadline);
      signal.removeEventListener('abort', abort);
    },
  };
}

function countText(stages: readonly string[]): string {
  const order = [
    'published',
    'accepted',
    'staging',
    'submitting',
    'queued',
    'running',
    'collecting',
    'finished',
  ];
  return order
    .map((stage) => [stages.filter((each) => each === stage).length, stage] as const)
    .filter(([count]) => count > 0)
    .map(([count, stage]) => `${count} ${stage}`)
    .join(', ');
}
