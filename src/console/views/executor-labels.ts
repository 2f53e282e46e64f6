import type { WorkerSnapshot } from '../../worker/views/handle.js';

/** Who runs the jobs, where it begins a sentence. */
export function runnerName(executor: WorkerSnapshot['executor']): string {
  return executor === 'slurm' ? 'Slurm' : 'This host';
}

/** Its jobs, in the middle of a sentence. */
export function jobsName(executor: WorkerSnapshot['executor']): string {
  return executor === 'slurm' ? 'Slurm jobs' : 'jobs of this host';
}
