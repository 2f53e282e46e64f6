import type { CommandOptions, RunCommand } from '../base/command.js';
import type { ExitRecord } from './exit-record.js';
import { jobName, readKey } from './job-identity.js';
import { accountedJob } from './commands/sacct.js';
import { showJob, type JobDetails } from './commands/scontrol.js';
import { outcomeOf, phaseOf, type JobState } from './states.js';
import type { ExitCode } from './commands/values.js';

/** What became of a job. */
export type JobEnd =
  | {
      kind: 'ended';
      outcome: 'succeeded' | 'failed' | 'canceled';
      state: JobState;
      exitCode: ExitCode | null;
      /** Slurm's reason, empty for none. */
      reason: string;
      /** Who said so. */
      how: 'scontrol' | 'sacct' | 'record';
    }
  /** It has not ended, or may yet go back into the queue. */
  | { kind: 'alive'; state: JobState; reason: string }
  /**
   * The controller has forgotten the job, and the site's accounting answers without knowing its end. slurmdbd hears of
   * ends late, by minutes after an outage (seen on 22.05), and the exit record cannot tell a time limit or a cancel from
   * an end of the analysis itself. So ask again for some minutes before setting `trustRecord`.
   */
  | { kind: 'unrecorded'; why: string }
  /**
   * Everybody was asked and answered, and nobody knows the job any more. A shared file system may show the exit record
   * a minute late, so ask again before believing it.
   */
  | { kind: 'lost'; why: string }
  /** Somebody who had to be asked did not answer. */
  | { kind: 'unknown'; why: string };

export interface EndQuestion {
  run: RunCommand;
  jobId: string;
  /** See `runKey`: tells our job from a later one of the same id. */
  key: string;
  /** The job's own exit record, null as long as there is none. */
  readExitRecord: () => Promise<ExitRecord | null>;
  /** Believe the exit record although the accounting of this site does not know of the end. */
  trustRecord: boolean;
  /** Milliseconds since the epoch. */
  now: () => number;
  options?: CommandOptions;
}

/**
 * So long after its end a job that was preempted or lost its node, and that Slurm may requeue, is believed to be over.
 * slurmctld puts it back in the same breath (seen on 22.05), so this is for a slow machine and for clocks that differ.
 */
const requeueGraceMs = 20_000;

/**
 * Finds out how a job ended: from the controller, then from the accounting, then from the job's own exit record. The
 * next one is asked only when the one before answered that it knows nothing; silence is never an answer.
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
    fromRecord(question, `Slurm no longer knows job ${jobId}, ${accounting}, and it left no exit record`);
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
      return unrecorded('its accounting does not know it');
    case 'jobs':
      break;
  }
  const job = answer.jobs[0];
  const outcome = job === undefined ? null : outcomeOf(job.state);
  if (job === undefined || phaseOf(job.state) !== 'ended' || outcome === null) {
    return unrecorded('its accounting has not heard of its end');
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
 * What the job's exit record tells, where nobody else knows of the job.
 * @param lost said where there is no record either
 */
export async function fromRecord(
  { jobId, readExitRecord }: Pick<EndQuestion, 'jobId' | 'readExitRecord'>,
  lost: string,
): Promise<JobEnd> {
  const record = await readExitRecord();
  if (record === null || record.jobId !== jobId) return { kind: 'lost', why: lost };
  const succeeded = record.exitCode === 0;
  return {
    kind: 'ended',
    outcome: succeeded ? 'succeeded' : 'failed',
    state: { base: succeeded ? 'COMPLETED' : 'FAILED', flags: [] },
    exitCode: { code: record.exitCode, signal: 0 },
    reason: '',
    how: 'record',
  };
}
