import { createHash, randomBytes } from 'node:crypto';

/**
 * The key of a run. Its Slurm job carries the key in its name and comment, so that it can be found again if sbatch's answer
 * was lost. The key is the run's id if that is safe on a command line, else a digest of it.
 */
export function runKey(runId: string): string {
  // squeue's `--name` splits at commas, and the sender of a message chooses its task id
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(runId) && !runId.startsWith('sha256.')) return runId;
  return `sha256.${createHash('sha256').update(runId).digest('hex')}`;
}

/**
 * A new mark for the jobs of a run. It starts with a prefix common to all jobs of one worker, so that jobs of a lost journal
 * can be distinguished from those of another worker of the same user.
 * @param stateDirectory identifies the worker: two workers on one cluster never share it
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

/** The job's name, for `squeue --name` and `sacct --name`. */
export function jobName(key: string): string {
  return `dsa-slurm-${key}`;
}

/**
 * The job's comment.
 * @param mark distinguishes this worker's jobs from those of another worker that received the same task
 */
export function jobComment(key: string, mark?: string): string {
  return mark === undefined ? `dsa-slurm:${key}` : `dsa-slurm:${key}:${mark}`;
}

const keyPattern = '([A-Za-z0-9][A-Za-z0-9._-]{0,99})';
const namePattern = new RegExp(`^dsa-slurm-${keyPattern}$`);
const commentPattern = new RegExp(`^dsa-slurm:${keyPattern}(?::([0-9a-f]{8}))?$`);

/**
 * The key that a job carries; null if dsa-slurm did not submit it. The name takes precedence, because a site's submit filter
 * may overwrite the comment.
 */
export function readKey(job: { name: string; comment: string }): string | null {
  return namePattern.exec(job.name)?.[1] ?? commentPattern.exec(job.comment.trim())?.[1] ?? null;
}

/** The mark in a job's comment; null if there is none, or the site overwrites comments. */
export function readMark(comment: string): string | null {
  return commentPattern.exec(comment.trim())?.[2] ?? null;
}
