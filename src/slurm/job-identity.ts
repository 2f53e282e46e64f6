import { createHash, randomBytes } from 'node:crypto';

/**
 * The key of a run: what its Slurm job carries in its name and in its comment, so that the job is found again when the
 * answer of sbatch was lost. It is the run's id where that is safe on a command line, else a digest of it.
 */
export function runKey(runId: string): string {
  // `--name` of squeue takes a list with commas, and a message decides what its task id is.
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(runId) && !runId.startsWith('sha256.')) return runId;
  return `sha256.${createHash('sha256').update(runId).digest('hex')}`;
}

/**
 * A new mark for the jobs of a run: it begins with what all jobs of one worker have in common, so that jobs which a lost
 * journal has forgotten are told from those of another worker of the same user.
 * @param stateDirectory names the worker: two on one cluster never share it
 */
export function createOwnerMark(stateDirectory: string): string {
  return `${workerMark(stateDirectory)}${randomBytes(2).toString('hex')}`;
}

/** Whether a job with this mark was submitted by the worker of `stateDirectory`, now or before its journal was lost. */
export function isOwnMark(mark: string | null, stateDirectory: string): boolean {
  return mark !== null && mark.startsWith(workerMark(stateDirectory));
}

function workerMark(stateDirectory: string): string {
  return createHash('sha256').update(stateDirectory).digest('hex').slice(0, 4);
}

/** The name of the job: `squeue --name` and `sacct --name` find it. */
export function jobName(key: string): string {
  return `dsa-slurm-${key}`;
}

/**
 * The comment of the job.
 * @param mark tells the jobs that one journal has made for the run from those of a worker that was given the same task
 */
export function jobComment(key: string, mark?: string): string {
  return mark === undefined ? `dsa-slurm:${key}` : `dsa-slurm:${key}:${mark}`;
}

const keyPattern = '([A-Za-z0-9][A-Za-z0-9._-]{0,99})';
const namePattern = new RegExp(`^dsa-slurm-${keyPattern}$`);
const commentPattern = new RegExp(`^dsa-slurm:${keyPattern}(?::([0-9a-f]{8}))?$`);

/**
 * The key that a job carries; null for a job that is none of ours. The name decides, because a site's submit filter may
 * use the comment for itself.
 */
export function readKey(job: { name: string; comment: string }): string | null {
  return namePattern.exec(job.name)?.[1] ?? commentPattern.exec(job.comment.trim())?.[1] ?? null;
}

/** The mark in a job's comment; null where there is none, or where the site uses the comment for itself. */
export function readMark(comment: string): string | null {
  return commentPattern.exec(comment.trim())?.[2] ?? null;
}
