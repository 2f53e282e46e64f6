import type { CommandOptions, RunCommand } from '../base/command.js';
import { jobName } from './job-identity.js';
import { accountedJob } from './commands/sacct.js';
import { queryJobs } from './commands/squeue.js';
import type { JobState } from './states.js';

export type FoundJob =
  /** `others`: further jobs of the same run, which there should not be. Newest first. */
  | { kind: 'found'; jobId: string; state: JobState; others: string[] }
  /** Slurm has no such job. `accounting`: its accounting was asked as well. */
  | { kind: 'none'; accounting: boolean }
  | { kind: 'silence'; why: string };

/** What a run's job is looked up by. */
export interface JobQuestion {
  key: string;
  /** Only jobs with this mark, or none, are meant; see `jobComment`. */
  mark?: string | undefined;
  /** Milliseconds; when the first submission of the run was tried. */
  since: number;
}

/**
 * Looks a run's job up by its key, in the controller and then in the accounting.
 *
 * `none` right after an unclear sbatch is not the last word: the request may still be on its way to the controller. Ask
 * again after Slurm's message time-out before submitting a second time.
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
  // made by another worker that was given the same task: its job is its own
  const foreign = mark === undefined ? [] : ofKey.filter((row) => row.mark !== null && row.mark !== mark);
  const rows = ofKey
    .filter((row) => !foreign.includes(row))
    .sort((a, b) => (b.submittedAt ?? 0) - (a.submittedAt ?? 0));
  if (rows[0] !== undefined) {
    const others = rows.slice(1).map((row) => row.id);
    return { kind: 'found', jobId: rows[0].id, state: rows[0].state, others };
  }
  if (queue.unparsable > 0) return { kind: 'silence', why: 'squeue gave an answer that could not be read' };
  // The clocks of two hosts need not agree to the second.
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
