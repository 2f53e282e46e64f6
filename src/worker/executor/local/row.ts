import { hostname } from 'node:os';

import type { JobRow } from '../../../slurm/job.js';
import { jobName } from '../../../slurm/key.js';
import type { LocalJob } from './spool.js';

/** A local job in the words of Slurm, so that whoever shows and judges jobs needs to know only those. */
export function rowOf(job: LocalJob, user: string, now: number): JobRow {
  const { end, process, startingAt, submittedAt } = job;
  const startedAt = process === null ? null : startingAt;
  return {
    id: job.id,
    name: jobName(job.key),
    user,
    state: { base: end?.state ?? (process === null ? 'PENDING' : 'RUNNING'), flags: [] },
    reason: end?.reason ?? (process === null ? 'Resources' : ''),
    partition: 'local',
    nodes: process === null ? '' : hostname(),
    cpus: null,
    memory: '',
    gres: '',
    elapsed: startedAt === null ? 0 : Math.max(0, Math.floor(((end?.at ?? now) - startedAt) / 1_000)),
    timeLimit: null,
    submittedAt,
    startedAt,
    expectedStart: null,
    endedAt: end?.at ?? null,
    exitCode: end?.exitCode ?? null,
    key: job.key,
  };
}
