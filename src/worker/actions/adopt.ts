import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { JobRow } from '../../slurm/job.js';
import type { Tracker } from '../../slurm/tracker.js';
import type { RunStore } from '../run-state/run-store.js';
import { orphanJobs } from './orphans.js';
import { recoverRun } from '../run-state/recover-run.js';
import { applyEvent, type Run } from '../run-state/run.js';

/** The result of an adoption. */
export type Adoption =
  /** The run is in the journal again and is followed to its end. `file`: the journal copy that it was read from. */
  | { kind: 'adopted'; run: Run; file: string }
  /** `why` completes "because …". */
  | { kind: 'refused'; why: string };

/** Recovers the runs of Slurm jobs that belong to no run. */
export interface Adoptions {
  /** The orphans among these jobs, according to the last answer of Slurm. */
  orphansAmong(jobIds: readonly string[]): JobRow[];
  /** Never throws: an error is part of its result. */
  adopt(orphan: JobRow): Promise<Adoption>;
}

export interface AdoptionTools {
  tracker: Pick<Tracker, 'view'>;
  runStore: RunStore;
  stateDirectory: string;
  /** Called with the id of a recovered run. */
  onRun: (id: string) => void;
  clock: Clock;
  log: Log;
}

export function createAdoptions({
  tracker,
  runStore,
  stateDirectory,
  onRun,
  clock,
  log,
}: AdoptionTools): Adoptions {
  /** Serializes adoptions: two of the same job would make two runs. */
  let turn: Promise<unknown> = Promise.resolve();

  const orphansAmong = (jobIds: readonly string[]): JobRow[] => {
    const wanted = new Set(jobIds);
    const rows = tracker.view().rows.filter(({ id }) => wanted.has(id));
    return orphanJobs(rows, runStore.all(), stateDirectory);
  };

  async function adopt({ id: jobId }: JobRow): Promise<Adoption> {
    const [orphan] = orphansAmong([jobId]);
    const key = orphan?.key ?? null;
    if (key === null) return { kind: 'refused', why: 'it belongs to a run' };
    const found = await recoverRun(stateDirectory, key);
    if (found.kind === 'nothing') return { kind: 'refused', why: found.why };
    const known = runStore.get(found.run.id);
    if (known !== undefined) {
      return { kind: 'refused', why: `run ${known.id} has ended as ${known.outcome ?? 'failed'} already` };
    }
    // a flipped bit may have changed the job id in the journal, so the one from Slurm is used
    const run =
      found.run.jobId === jobId
        ? found.run
        : applyEvent(found.run, { type: 'submitted', at: clock.now(), jobId });
    await runStore.adopt(run);
    log.warn({ run: run.id, job: jobId, from: found.file }, 'adopted a Slurm job that had lost its run');
    onRun(run.id);
    return { kind: 'adopted', run, file: found.file };
  }

  return {
    orphansAmong,
    async adopt(orphan) {
      const mine = turn.then(async () => adopt(orphan));
      turn = mine.catch(() => undefined);
      return mine.catch((error: unknown) => ({ kind: 'refused', why: errorLine(error) }));
    },
  };
}
