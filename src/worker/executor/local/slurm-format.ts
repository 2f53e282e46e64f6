import { hostname } from 'node:os';

import type { JobRow } from '../../../slurm/job.js';
import { jobComment, jobName } from '../../../slurm/job-identity.js';
import type { JobDetails, JobFact } from '../../../slurm/commands/scontrol.js';
import { stateSentence } from '../../../slurm/states.js';
import type { OwnerMessages } from '../executor.js';
import type { LocalJob } from './spool.js';

/** Messages that do not mention a cluster. */
export const ownerMessages: OwnerMessages = {
  waits: () => 'The analysis waits for earlier ones to finish.',
  state: (state) => sentences.get(state.base) ?? stateSentence(state),
  refused: () => 'The analysis waits: this computer cannot accept more work at present.',
};

const sentences: ReadonlyMap<string, string> = new Map([
  ['PENDING', 'The analysis waits.'],
  ['RUNNING', 'The analysis runs.'],
  ['CANCELLED', 'The job was canceled.'],
]);

/** A local job as a row of squeue, so that screens and stages handle only one format. */
export function rowOf(job: LocalJob, user: string, now: number): JobRow {
  const { end, startingAt, submittedAt } = job;
  const waits = startingAt === null;
  return {
    id: job.id,
    name: jobName(job.key),
    user,
    state: { base: end?.state ?? (waits ? 'PENDING' : 'RUNNING'), flags: [] },
    reason: end?.reason ?? (waits ? 'Resources' : ''),
    partition: 'local',
    nodes: waits ? '' : (job.process?.host ?? hostname()),
    cpus: null,
    memory: '',
    gres: '',
    elapsed: waits ? 0 : Math.max(0, Math.floor(((end?.at ?? now) - startingAt) / 1_000)),
    timeLimit: null,
    submittedAt,
    startedAt: startingAt,
    expectedStart: null,
    endedAt: end?.at ?? null,
    exitCode: end?.exitCode ?? null,
    key: job.key,
    mark: null,
  };
}

/** Details of a job in the format of `scontrol show job`, without its arguments, which may contain secrets. */
export function detailsOf(job: LocalJob, user: string, now: number): JobDetails {
  const row = rowOf(job, user, now);
  const { exitCode, reason, state, startedAt, endedAt } = row;
  const pairs: JobFact[] = [
    ['JobId', job.id],
    ['JobName', row.name],
    ['UserId', user],
    ['JobState', state.base],
    ['Reason', reason === '' ? 'None' : reason],
    ['ExitCode', exitCode === null ? '' : `${exitCode.code}:${exitCode.signal}`],
    ['SubmitTime', time(job.submittedAt)],
    ['StartTime', time(startedAt)],
    ['EndTime', time(endedAt)],
    ['NodeList', row.nodes],
    ['Pid', job.process === null ? '' : String(job.process.pid)],
    ['Command', job.script],
    ['StdOut', job.stdout],
    ['StdErr', job.stderr],
  ];
  return {
    id: job.id,
    name: row.name,
    comment: jobComment(job.key),
    state,
    reason,
    exitCode,
    requeueable: false,
    restarts: 0,
    nodes: row.nodes,
    startedAt,
    endedAt,
    text: pairs.map(([key, value]) => `${key}=${value}`).join('\n'),
    pairs,
  };
}

function time(at: number | null): string {
  return at === null ? 'Unknown' : new Date(at).toISOString();
}
