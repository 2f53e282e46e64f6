import type { Log } from '../../base/log.js';
import type { JobRow } from '../../slurm/job.js';
import { isOwnMark, runKey } from '../../slurm/job-identity.js';
import { phaseOf } from '../../slurm/states.js';
import type { Tracker } from '../../slurm/tracker.js';
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

/** Watches for orphans. They are reported once two consecutive answers of Slurm contain them. */
export function watchOrphans(
  tracker: Tracker,
  runStore: RunStore,
  stateDirectory: string,
  log: Log,
): { trouble(): string | null; stop(): void } {
  let suspects: readonly string[] = [];
  let orphans: readonly string[] = [];
  let at = tracker.view().at;
  const stop = tracker.onAnswer((view) => {
    if (view.at === at) return;
    at = view.at;
    const now = orphanJobs(view.rows, runStore.all(), stateDirectory).map(({ id }) => id);
    const seen = now.filter((id) => suspects.includes(id));
    const fresh = seen.filter((id) => !orphans.includes(id));
    if (fresh.length > 0) log.error({ jobs: fresh }, 'Slurm jobs of this worker belong to no run');
    suspects = now;
    orphans = seen;
  });
  return { trouble: () => (orphans.length === 0 ? null : orphanSentence(orphans)), stop };
}
