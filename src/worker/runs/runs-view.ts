import type { RunView } from '../views/handle.js';
import type { ProcessIdentity } from '../run-state/process-identity.js';
import type { RunDetail } from '../views/live-views.js';

/** A Slurm job that belongs to no run. */
export interface OrphanView {
  jobId: string;
  /** As Slurm spells it: `RUNNING`, `PENDING`. */
  state: string;
  /** The key of its run, which is the Celery task id where that is safe on a command line. */
  key: string;
}

/** All runs at one moment. Contains no secrets. */
export interface RunsView {
  /** Where the runs come from. */
  source: 'worker' | 'journal';
  /** The process that holds the state directory; null if there is none. */
  worker: Pick<ProcessIdentity, 'pid' | 'host' | 'since'> | null;
  /** Number of unreadable lines of the journal. */
  damagedLines: number;
  runs: readonly RunView[];
  /** Live Slurm jobs of this worker that belong to no run. */
  orphans: readonly OrphanView[];
  /** Why orphans are unknown: Slurm was not asked, or did not answer; null if they are known. */
  orphansUnknown: string | null;
  detail(id: string): Promise<RunDetail | null>;
}
