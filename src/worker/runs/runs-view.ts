import type { RunView } from '../views/handle.js';
import type { ProcessIdentity } from '../run-state/process-identity.js';
import type { RunDetail } from '../views/live-views.js';

/** A Slurm job that has lost its run. */
export interface OrphanView {
  jobId: string;
  /** As Slurm spells it: `RUNNING`, `PENDING`. */
  state: string;
  /** The key of its run, which is the Celery task id where that is safe on a command line. */
  key: string;
}

/** All runs as they are at one moment. Free of secrets. */
export interface RunsView {
  /** Who has told: the worker itself, or its journal. */
  source: 'worker' | 'journal';
  /** The process that has the state directory; null if none does. */
  worker: Pick<ProcessIdentity, 'pid' | 'host' | 'since'> | null;
  /** Lines of the journal that cannot be read. */
  damagedLines: number;
  runs: readonly RunView[];
  /** Live Slurm jobs of this worker that belong to no run. Empty where no worker runs, because Slurm is not asked then. */
  orphans: readonly OrphanView[];
  detail(id: string): Promise<RunDetail | null>;
}
