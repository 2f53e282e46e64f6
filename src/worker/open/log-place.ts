import { isAbsolute } from 'node:path';

import type { Executor } from '../executor/executor.js';
import type { LogPlace } from '../logs/log-tail.js';
import type { RunStore } from '../run-state/run-store.js';

/**
 * Finds the file of a log: that of a run is known; for another job, and for standard error, Slurm is queried once.
 * @param of see `WorkerHandle.followLog`
 */
export function logPlace(
  of: string,
  { runStore, executor }: { runStore: Pick<RunStore, 'get'>; executor: Pick<Executor, 'describe' | 'name'> },
): () => LogPlace {
  const [, kind, jobId] = /^(job|stderr):(.*)$/u.exec(of) ?? [];
  if (jobId === undefined || runStore.get(of) !== undefined)
    return () => ({ path: runStore.get(of)?.submission?.logFile ?? null, problem: null });
  let place: LogPlace = { path: null, problem: null, isLookupPending: true };
  void (async () => {
    const answer = await executor.describe(jobId);
    if (answer.kind !== 'job') {
      const problem = answer.kind === 'silence' ? answer.why : `${executor.name} no longer knows this job`;
      place = { path: null, problem: `The path of its log is unknown: ${problem}.` };
      return;
    }
    const { StdOut: output = '', StdErr: errors = '' } = Object.fromEntries(answer.job.pairs);
    if (kind === 'stderr' && errors === output && output !== '') {
      place = { path: null, problem: 'The job writes its errors into the same file as its output.' };
      return;
    }
    const path = kind === 'stderr' ? errors : output;
    place = isAbsolute(path)
      ? { path, problem: null }
      : { path: null, problem: `${executor.name} reports no output file for it.` };
  })();
  return () => place;
}
