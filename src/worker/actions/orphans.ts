import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { JobRow } from '../../slurm/job.js';
import { isOwnMark, runKey } from '../../slurm/job-identity.js';
import { phaseOf } from '../../slurm/states.js';
import type { Executor } from '../executor/executor.js';
import type { RunStore } from '../run-state/run-store.js';
import type { Run } from '../run-state/run.js';

/**
 * Finds orphans: live jobs of this worker that belong to no unfinished run, because it was lost with a damaged journal or given up.
 * Nothing follows them, and nothing of them reaches Girder.
 */
export function orphanJobs(
  rows: readonly JobRow[],
  runs: Iterable<Pick<Run, 'id' | 'stage'>>,
  stateDirectory: string,
): JobRow[] {
  const own = rows.filter(
    ({ key, mark, state, reason }) =>
      key !== null && isOwnMark(mark, stateDirectory) && livePhases.has(phaseOf(state, reason)),
  );
  if (own.length === 0) return [];
  const known = new Set<string>();
  for (const { id, stage } of runs) if (stage !== 'finished') known.add(runKey(id));
  return own.filter(({ key }) => key !== null && !known.has(key));
}

const livePhases: ReadonlySet<string> = new Set(['waiting', 'held', 'starting', 'running', 'paused']);

/** A sentence about orphans. */
export function orphanSentence(ids: readonly string[]): string {
  const shown = ids.slice(0, 5).join(' ');
  const more = ids.length > 5 ? ` and ${ids.length - 5} more` : '';
  const jobs = ids.length === 1 ? 'Slurm job belongs' : 'Slurm jobs belong';
  return `${ids.length} ${jobs} to no run of this worker, so no result will reach Girder: ${shown}${more}. See: dsa-slurm runs adopt --help`;
}

/**
 * Watches for orphans, which are reported once two consecutive answers of Slurm contain them. An attempt without use is
 * canceled instead: of a job that Slurm requeued after its analysis had ended and its exit record had ended the run.
 */
export function watchOrphans(
  { tracker, cancel }: Pick<Executor, 'tracker' | 'cancel'>,
  runStore: RunStore,
  stateDirectory: string,
  log: Log,
): { problem(): string | null; stop(): void } {
  let suspects: readonly string[] = [];
  let orphans: readonly string[] = [];
  let at = tracker.view().at;

  async function cancelNeedless(jobs: readonly string[]): Promise<void> {
    log.warn({ jobs }, 'canceling jobs that were requeued after their runs had ended');
    const { ok, message } = await cancel(jobs);
    if (!ok) log.error({ jobs, message }, 'requeued jobs that no run needs could not be canceled');
  }

  const stop = tracker.onAnswer((view) => {
    if (view.at === at) return;
    at = view.at;
    const found = orphanJobs(view.rows, runStore.all(), stateDirectory);
    const seen = found.filter(({ id }) => suspects.includes(id));
    const endedByRecord = new Set(jobsEndedByRecord(runStore.all()));
    const isNeedless = ({ id, state, reason }: JobRow): boolean =>
      endedByRecord.has(id) && ['waiting', 'held'].includes(phaseOf(state, reason));
    const needless = seen.filter(isNeedless).map(({ id }) => id);
    const now = seen.map(({ id }) => id).filter((id) => !needless.includes(id));
    const fresh = now.filter((id) => !orphans.includes(id));
    if (fresh.length > 0) log.error({ jobs: fresh }, 'Slurm jobs of this worker belong to no run');
    suspects = found.map(({ id }) => id);
    orphans = now;
    if (needless.length > 0)
      cancelNeedless(needless).catch((error: unknown) =>
        log.error({ why: errorLine(error) }, 'no jobs were canceled'),
      );
  });
  return { problem: () => (orphans.length === 0 ? null : orphanSentence(orphans)), stop };
}

function* jobsEndedByRecord(runs: Iterable<Run>): Iterable<string> {
  for (const { jobId, end } of runs) if (jobId !== null && end?.toldBy === 'record') yield jobId;
}
