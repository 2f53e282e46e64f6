import type { WorkerSnapshot } from '../../worker/views/handle.js';

/** What runs the jobs, at the beginning of a sentence. */
export function executorName(executor: WorkerSnapshot['executor']): string {
  return executor === 'slurm' ? 'Slurm' : 'This host';
}

export function executorJobs(executor: WorkerSnapshot['executor']): string {
  return executor === 'slurm' ? 'Slurm jobs' : 'jobs on this host';
}
