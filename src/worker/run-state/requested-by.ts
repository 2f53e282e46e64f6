import { requestedResources, type RequestedResources } from '../../slurm/requested.js';
import type { Run } from './run.js';

/** What the job of a run asked Slurm for; null before it is submitted, and without Slurm. */
export function requestedBy({ submission }: Pick<Run, 'submission'>): RequestedResources | null {
  const sbatch = submission?.lines?.sbatch ?? null;
  return sbatch === null ? null : requestedResources(sbatch);
}
