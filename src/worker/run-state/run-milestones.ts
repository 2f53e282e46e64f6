import type { StagedAnalysis } from '../../girder/protocol/analysis.js';
import type { RunStore } from './run-store.js';
import type { RecordedJobEnd, Outcome, Run, RecordedSubmission } from './run.js';

/**
 * A run narrowed by what its journal has. The stages pass these types on, so that none can be called too early. The stage alone
 * does not tell: a run that finished may never have been staged, and a damaged journal may have lost a line.
 */

/** Its inputs are on disk. */
export type StagedRun = Run & { readonly staged: StagedAnalysis };

/** sbatch was called or was about to be: Slurm may have its job. */
export type SubmittingRun = Run & { readonly submission: RecordedSubmission };

/** Slurm has accepted its job. */
export type SubmittedRun = SubmittingRun & { readonly jobId: string };

/** Its job has ended. */
export type EndedRun = SubmittedRun & { readonly end: RecordedJobEnd };

/** Its outcome is final and must be reported to Girder. */
export type DecidedRun = Run & { readonly outcome: Outcome };

export function isStaged(run: Run): run is StagedRun {
  return run.staged !== null;
}

export function isSubmitting(run: Run): run is SubmittingRun {
  return run.submission !== null;
}

export function isSubmitted(run: Run): run is SubmittedRun {
  return run.submission !== null && run.jobId !== null;
}

export function isEnded(run: Run): run is EndedRun {
  return isSubmitted(run) && run.end !== null;
}

export function isDecided(run: Run): run is DecidedRun {
  return run.outcome !== null;
}

/** The run as the store has it now; with at least what `run` has. */
export function currentRun(runStore: Pick<RunStore, 'get'>, run: SubmittedRun): SubmittedRun {
  const now = runStore.get(run.id);
  return now !== undefined && isSubmitted(now) ? now : run;
}
