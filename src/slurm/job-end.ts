import type { CommandOptions, RunCommand } from '../base/command.js';
import type { ExitRecord } from './exit-record.js';
import { jobName, readKey } from './job-identity.js';
import { accountedJob } from './commands/sacct.js';
import { showJob, type JobDetails } from './commands/scontrol.js';
import { outcomeOf, phaseOf, type JobState } from './states.js';
import type { ExitCode } from './commands/values.js';

/** How a job ended, or why that is not known. */
export type JobEnd =
  | {
      kind: 'ended';
      outcome: 'succeeded' | 'failed' | 'canceled';
      state: JobState;
      exitCode: ExitCode | null;
      /** Slurm's reason; empty if there is none. */
      reason: string;
      /** Source of this information. */
      how: 'scontrol' | 'sacct' | 'record';
    }
  /** It has not ended, or Slurm may still requeue it. */
  | { kind: 'alive'; state: JobState; reason: string }
  /**
   * The controller has forgotten the job, and the accounting database does not know its end. slurmdbd learns of ends
   * late, by minutes after an outage (seen on 22.05), and the exit record cannot tell a time limit or a cancel from an end of
   * the analysis itself. So ask again for some minutes before setting `trustRecord`.
   */
  | { kind: 'unrecorded'; why: string }
  /**
   * Controller and accounting both answered and do not know the job, and there is no exit record. A shared file system may
   * show that record a minute late, so ask again before giving up.
   */
  | { kind: 'lost'; why: string }
  /** The controller or the accounting did not answer. */
  | { kind: 'unknown'; why: string };

export interface EndQuestion {
  run: RunCommand;
  jobId: string;
  /** See `runKey`: distinguishes this job from a later one with the same id. */
  key: string;
  /** Reads the job's exit record; null while it does not exist. */
  readExitRecord: () => Promise<ExitRecord | null>;
  /** Use the exit record although the site's accounting does not know the end. */
  trustRecord: boolean;
  /** Milliseconds since the epoch. */
  now: () => number;
  options?: CommandOptions;
}

/**
 * Time after which a requeueable job that was preempted or lost its node counts as ended. slurmctld requeues at once (seen
 * on 22.05), so this allows for slow controllers and clock skew.
 */
const requeueGraceMs = 20_000;

/**
 * Finds out how a job ended: from the controller, then the accounting database, then the job's exit record. The next source
 * is used only if the one before answered that it does not know the job; no answer is never taken for an answer.
 */
export async function resolveEnd(question: EndQuestion): Promise<JobEnd> {
  const { run, jobId, options } = question;
  const shown = await showJob(run, jobId, options);
  switch (shown.kind) {
    case 'silence':
      return { kind: 'unknown', why: shown.why };
    case 'job':
      if (readKey(shown.job) === question.key) return fromController(shown.job, question.now());
      break;
    case 'unknown-job':
      break;
  }
  return fromAccounting(question);
}

function fromController(job: JobDetails, now: number): JobEnd {
  const { state, reason, exitCode } = job;
  const outcome = outcomeOf(state);
  if (phaseOf(state, reason) !== 'ended' || outcome === null) return { kind: 'alive', state, reason };
  if (outcome !== 'depends') return { kind: 'ended', outcome, state, exitCode, reason, how: 'scontrol' };
  const settled = job.endedAt !== null && now - job.endedAt > requeueGraceMs;
  return job.requeueable && !settled
    ? { kind: 'alive', state, reason }
    : { kind: 'ended', outcome: 'failed', state, exitCode, reason, how: 'scontrol' };
}

async function fromAccounting(question: EndQuestion): Promise<JobEnd> {
  const { run, jobId, key, options } = question;
  const answer = await accountedJob(run, { jobId, name: jobName(key) }, options);
  const fromRecordAlone = async (accounting: string): Promise<JobEnd> =>
    fromRecord(question, `Slurm no longer knows job ${jobId}, ${accounting}, and there is no exit record`);
  const unrecorded = async (accounting: string): Promise<JobEnd> =>
    question.trustRecord
      ? fromRecordAlone(accounting)
      : { kind: 'unrecorded', why: `Slurm no longer knows job ${jobId}, and ${accounting}` };
  switch (answer.kind) {
    case 'silence':
      return { kind: 'unknown', why: answer.why };
    case 'no-accounting':
      return fromRecordAlone('this site keeps no accounting');
    case 'unknown-job':
      return unrecorded('the accounting database does not know it');
    case 'jobs':
      break;
  }
  const job = answer.jobs[0];
  const outcome = job === undefined ? null : outcomeOf(job.state);
  if (job === undefined || phaseOf(job.state) !== 'ended' || outcome === null) {
    return unrecorded('the accounting database does not know its end');
  }
  const { state, exitCode } = job;
  return {
    kind: 'ended',
    outcome: outcome === 'depends' ? 'failed' : outcome,
    state,
    exitCode,
    reason: '',
    how: 'sacct',
  };
}

/**
 * The outcome according to the job's exit record.
 * @param lost the reason to report if there is no record either
 */
export async function fromRecord(
  { jobId, readExitRecord }: Pick<EndQuestion, 'jobId' | 'readExitRecord'>,
  lost: string,
): Promise<JobEnd> {
  const record = await readExitRecord();
  if (record === null || record.jobId !== jobId) return { kind: 'lost', why: lost };
  return endByRecord(record);
}

/** The end of a job as its exit record tells it. */
export function endByRecord({
  exitCode,
}: ExitRecord): Extract<JobEnd, { kind: 'ended' }> & { how: 'record' } {
  const succeeded = exitCode === 0;
  return {
    kind: 'ended',
    outcome: succeeded ? 'succeeded' : 'failed',
    state: { base: succeeded ? 'COMPLETED' : 'FAILED', flags: [] },
    exitCode: { code: exitCode, signal: 0 },
    reason: '',
    how: 'record',
  };
}
