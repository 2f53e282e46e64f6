import type { WorkerHandle } from '../../worker/views/handle.js';
import type { Row } from '../state/rows.js';

/** Where the log of a row is, as the worker or Slurm says; null where nobody knows. */
export async function logPath(
  handle: Pick<WorkerHandle, 'runDetail' | 'jobDetail'>,
  { run, job }: Row,
): Promise<string | null> {
  if (run !== null) {
    const answer = await handle.runDetail(run.id);
    return answer.ok ? answer.detail.logFile : null;
  }
  const { facts } = await handle.jobDetail(job.id);
  return new Map(facts).get('StdOut') ?? null;
}
