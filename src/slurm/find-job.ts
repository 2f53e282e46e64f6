import type { CommandOptions, RunCommand } from '../base/command.js';
import { jobName } from './job-identity.js';
import { accountedJob } from './commands/sacct.js';
import { queryJobs } from './commands/squeue.js';
import type { JobState } from './states.js';

export type FoundJob =
  /** `others`: unexpected further jobs of the same run, newest first. */
  | { kind: 'found'; jobId: string; state: JobState; others: string[] }
  /** Slurm has no such job. `accounting`: slurmdbd was asked, too. */
  | { kind: 'none'; accounting: boolean }
  | { kind: 'silence'; why: string };

/** Identifies a run's job. */
export interface JobQuestion {
  key: string;
  /** Jobs with a different mark are ignored; see `jobComment`. */
  mark?: string | undefined;
  /** Milliseconds since the epoch: first submission attempt of the run. */
  since: number;
}

/**
 * Looks up a run's job by its key, first in the controller, then in the accounting database.
 *
 * `none` right after an unclear sbatch is not conclusive: the request may still be on its way to the controller. Ask again
 * after Slurm's message timeout before submitting a second time.
 */
export async function findJob(
  run: RunCommand,
  { key, mark, since }: JobQuestion,
  options: CommandOptions = {},
): Promise<FoundJob> {
  const name = jobName(key);
  const queue = await queryJobs(run, { kind: 'name', name }, options);
  if (queue.kind === 'silence') return queue;
  const ofKey = queue.rows.filter((row) => row.key === key);
  // submitted by another worker that received the same task
  const foreign = mark === undefined ? [] : ofKey.filter((row) => row.mark !== null && row.mark !== mark);
  const rows = ofKey
    .filter((row) => !foreign.includes(row))
    .sort((a, b) => (b.submittedAt ?? 0) - (a.submittedAt ?? 0));
  if (rows[0] !== undefined) {
    const others = rows.slice(1).map((row) => row.id);
    return { kind: 'found', jobId: rows[0].id, state: rows[0].state, others };
  }
  if (queue.unparsable > 0) return { kind: 'silence', why: 'the output of squeue could not be parsed' };
  // allows for clock skew between hosts
  const accounting = await accountedJob(run, { name, since: since - 10 * 60_000 }, options);
  switch (accounting.kind) {
    case 'jobs': {
      const others = new Set(foreign.map(({ id }) => id));
      const [first, ...rest] = accounting.jobs.filter(({ id }) => !others.has(id));
      if (first === undefined) return { kind: 'none', accounting: true };
      const more = [...new Set(rest.map((job) => job.id))].filter((id) => id !== first.id);
      return { kind: 'found', jobId: first.id, state: first.state, others: more };
    }
    case 'unknown-job':
      return { kind: 'none', accounting: true };
    case 'no-accounting':
      return { kind: 'none', accounting: false };
    case 'silence':
      return accounting;
  }
}
