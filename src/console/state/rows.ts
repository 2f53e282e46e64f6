import type { JobRow } from '../../slurm/job.js';
import type { JobsView, RunView, WorkerSnapshot } from '../../worker/views/handle.js';
import type { BatchesView } from '../../worker/views/live-views.js';
import type { DataAge } from '../table/column.js';

/** The table's order: running, waiting, finished. */
type RowGroup = 'running' | 'waiting' | 'finished';

interface RowBase {
  /** Stable: `run:<id>` or `job:<id>`. */
  id: string;
  group: RowGroup;
  /** Id of its batch, if that is known. */
  batch?: string | null;
}

/** A run with its job, or a Slurm job without a run here. Its texts are untrusted: clean them before display. */
export type Row = RowBase & ({ run: RunView; job: JobRow | null } | { run: null; job: JobRow });

/** Whose jobs are listed: those of this user, only those that came from Girder, or those of all users. */
export const jobScopes = ['mine', 'dsa', 'all'] as const;
export type JobScope = (typeof jobScopes)[number];

/** Maximum number of finished rows in the table. */
export const finishedLimit = 200;

/**
 * The rows of a snapshot in table order. Rows of `previous` are reused if neither run nor job has changed, and `previous`
 * itself if nothing has.
 */
export function mergeRows(
  snapshot: WorkerSnapshot,
  previous: readonly Row[],
  { scope, jobs: listed, batches }: { scope: JobScope; jobs: JobsView; batches?: BatchesView | undefined } = {
    scope: 'mine',
    jobs: snapshot.jobs,
  },
): readonly Row[] {
  // unchanged runs and jobs keep their identity
  const known = new Map(previous.map((row) => [row.run ?? row.job, row]));
  const batchOf = new Map(batches?.rows.flatMap(({ id, runs }) => runs.map((run) => [run, id] as const)));
  const jobs = new Map(listed.rows.map((job) => [job.id, job]));
  const groups: Readonly<Record<RowGroup, Row[]>> = { running: [], waiting: [], finished: [] };
  for (const run of snapshot.runs) {
    const job = run.jobId === null ? null : (jobs.get(run.jobId) ?? null);
    if (run.jobId !== null) jobs.delete(run.jobId);
    const before = known.get(run);
    const batch = batchOf.get(run.id) ?? null;
    const row: Row =
      before?.job === job && (before.batch ?? null) === batch
        ? before
        : { id: before?.id ?? `run:${run.id}`, group: before?.group ?? runGroup(run), batch, run, job };
    groups[row.group].push(row);
  }
  for (const job of jobs.values()) {
    // a job with a key came from Girder: its run was forgotten here or belongs to another worker
    if (scope === 'dsa' && job.key === null) continue;
    const row: Row = known.get(job) ?? {
      id: `job:${job.id}`,
      group: jobGroup(job),

      run: null,
      job,
    };
    groups[row.group].push(row);
  }
  const rows = [
    // cheap, because each group is almost sorted already
    ...groups.running.sort(byPosition),
    ...groups.waiting.sort(byPosition),
    ...groups.finished.sort(byPosition).slice(0, finishedLimit),
  ];
  return rows.length === previous.length && rows.every((row, index) => row === previous[index])
    ? previous
    : rows;
}

/** Counts running and waiting rows. @param rows in the order of `mergeRows` */
export function countGroups(rows: readonly Row[]): { running: number; waiting: number } {
  const afterRunning = rows.findIndex(({ group }) => group !== 'running');
  const running = afterRunning === -1 ? rows.length : afterRunning;
  return { running, waiting: rows.findLastIndex(({ group }) => group !== 'finished') + 1 - running };
}

function byPosition(a: Row, b: Row): number {
  return position(a) - position(b) || compareIds(a.id, b.id);
}

/** Oldest first, so that new rows appear at the end; finished rows newest first. */
function position({ group, run, job }: Row): number {
  if (group === 'finished') return -(run === null ? (job.endedAt ?? 0) : (run.finishedAt ?? run.stageSince));
  return run === null ? (job.submittedAt ?? 0) : run.acceptedAt;
}

function compareIds(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}

function runGroup(run: RunView): RowGroup {
  switch (run.stage) {
    case 'accepted':
    case 'staging':
    case 'submitting':
    case 'queued':
      return 'waiting';
    case 'running':
    case 'collecting':
      return 'running';
    case 'finished':
      return 'finished';
  }
}

/** The group of a job without a run, by its base state (squeue(1), "JOB STATE CODES"). Unknown states count as running. */
function jobGroup(job: JobRow): RowGroup {
  if (job.state.flags.includes('COMPLETING')) return 'running';
  if (job.state.base === 'PENDING') return 'waiting';
  return endedStates.has(job.state.base) ? 'finished' : 'running';
}

/** Base states of jobs that have ended. */
export const endedStates: ReadonlySet<string> = new Set([
  'BOOT_FAIL',
  'CANCELLED',
  'COMPLETED',
  'DEADLINE',
  'FAILED',
  'NODE_FAIL',
  'OUT_OF_MEMORY',
  'PREEMPTED',
  'TIMEOUT',
]);

/** Seconds for the ELAPSED column: run time of a job, otherwise time in the current stage. Null if unknown. */
export function elapsedSeconds(row: Row, age: DataAge, now: number): number | null {
  const { run, job } = row;
  if (job !== null && job.elapsed !== null && job.startedAt !== null && row.group !== 'waiting') {
    // Slurm's own count, extrapolated to now; it stops while Slurm does not answer
    const isTicking = row.group === 'running' && job.endedAt === null && age.problem === null;
    return job.elapsed + (isTicking && age.at !== null ? Math.max(0, now - age.at) / 1_000 : 0);
  }
  if (run !== null) {
    if (run.stage === 'finished') return ((run.finishedAt ?? run.stageSince) - run.acceptedAt) / 1_000;
    return Math.max(0, (age.lostAt ?? now) - run.stageSince) / 1_000;
  }
  return job.submittedAt === null ? null : (now - job.submittedAt) / 1_000;
}
