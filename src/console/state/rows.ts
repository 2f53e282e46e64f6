import type { JobRow } from '../../slurm/job.js';
import type { JobsView, RunView, WorkerSnapshot } from '../../worker/views/handle.js';
import type { DataAge } from '../table/column.js';

/** Where a row stands in the table: what runs first, then what waits, then what is finished. */
export type RowGroup = 'running' | 'waiting' | 'finished';

interface RowPlace {
  /** Stays the same for as long as the run or job is there: `run:<id>`, `job:<id>`. */
  id: string;
  group: RowGroup;
}

/**
 * One line of the table: a run with the job that it has, or a Slurm job of this user that belongs to no run here.
 * The texts in it are as they came: whoever shows them cleans them.
 */
export type Row = RowPlace & ({ run: RunView; job: JobRow | null } | { run: null; job: JobRow });

/** Which rows the table lists: those of this user, only those of the archive, or those of every user. */
export const jobScopes = ['mine', 'dsa', 'all'] as const;
export type JobScope = (typeof jobScopes)[number];

/** Finished rows that stay visible. */
export const finishedLimit = 200;

/**
 * The rows of a snapshot in the order of the table. A row of `previous` is used again where neither its run nor its job
 * has changed, and `previous` itself where nothing has.
 */
export function mergeRows(
  snapshot: WorkerSnapshot,
  previous: readonly Row[],
  { scope, jobs: listed }: { scope: JobScope; jobs: JobsView } = { scope: 'mine', jobs: snapshot.jobs },
): readonly Row[] {
  // a run or job that has not changed is the same object
  const known = new Map(previous.map((row) => [row.run ?? row.job, row]));
  const jobs = new Map(listed.rows.map((job) => [job.id, job]));
  const groups: Readonly<Record<RowGroup, Row[]>> = { running: [], waiting: [], finished: [] };
  for (const run of snapshot.runs) {
    const job = run.jobId === null ? null : (jobs.get(run.jobId) ?? null);
    if (run.jobId !== null) jobs.delete(run.jobId);
    const before = known.get(run);
    const row: Row =
      before?.job === job
        ? before
        : { id: before?.id ?? `run:${run.id}`, group: before?.group ?? runGroup(run), run, job };
    groups[row.group].push(row);
  }
  for (const job of jobs.values()) {
    // a job with a key came from Girder: of a run that is forgotten here, or of another worker
    if (scope === 'dsa' && job.key === null) continue;
    const row: Row = known.get(job) ?? { id: `job:${job.id}`, group: jobGroup(job), run: null, job };
    groups[row.group].push(row);
  }
  const rows = [
    // each group is nearly in order already
    ...groups.running.sort(byPosition),
    ...groups.waiting.sort(byPosition),
    ...groups.finished.sort(byPosition).slice(0, finishedLimit),
  ];
  return rows.length === previous.length && rows.every((row, index) => row === previous[index])
    ? previous
    : rows;
}

/** How many rows run and wait. @param rows in the order of `mergeRows` */
export function countGroups(rows: readonly Row[]): { running: number; waiting: number } {
  const afterRunning = rows.findIndex(({ group }) => group !== 'running');
  const running = afterRunning === -1 ? rows.length : afterRunning;
  return { running, waiting: rows.findLastIndex(({ group }) => group !== 'finished') + 1 - running };
}

function byPosition(a: Row, b: Row): number {
  return position(a) - position(b) || compareIds(a.id, b.id);
}

/** Oldest first, so that what arrives is added below; of finished ones the newest first. */
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

/** A job that is not ours, by the base states of Slurm's `job_state_codes`; a state unknown here is shown as running. */
function jobGroup(job: JobRow): RowGroup {
  if (job.state.flags.includes('COMPLETING')) return 'running';
  if (job.state.base === 'PENDING') return 'waiting';
  return endedStates.has(job.state.base) ? 'finished' : 'running';
}

/** Slurm's base states of jobs that have ended. */
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

/** The seconds to show for a row, and of what. Null where nothing is known. */
export function elapsedSeconds(row: Row, age: DataAge, now: number): number | null {
  const { run, job } = row;
  if (job !== null && job.elapsed !== null && job.startedAt !== null && row.group !== 'waiting') {
    // Slurm's own count, carried on to now while Slurm answers; it stands still while Slurm is silent.
    const counting = row.group === 'running' && job.endedAt === null && age.trouble === null;
    return job.elapsed + (counting && age.at !== null ? Math.max(0, now - age.at) / 1_000 : 0);
  }
  if (run !== null) {
    if (run.stage === 'finished') return ((run.finishedAt ?? run.stageSince) - run.acceptedAt) / 1_000;
    return (now - run.stageSince) / 1_000;
  }
  return job.submittedAt === null ? null : (now - job.submittedAt) / 1_000;
}
