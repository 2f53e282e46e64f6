import type { CommandOptions, RunCommand } from '../base/command.js';
import { jobName } from './key.js';
import { accountedJob } from './sacct.js';
import { queryJobs } from './squeue.js';
import type { JobState } from './states.js';

export type FoundJob =
  /** `others`: further jobs of the same run, which there should not be. Newest first. */
  | { kind: 'found'; jobId: string; state: JobState; others: string[] }
  /** Slurm has no such job. `accounting`: its accounting was asked as well. */
  | { kind: 'none'; accounting: boolean }
  | { kind: 'silence'; why: string };

/**
 * Looks a run's job up by its key, in the controller and then in the accounting.
 *
 * `none` right after an unclear sbatch is not the last word: the request may still be on its way to the controller. Ask
 * again after Slurm's message time-out before submitting a second time.
 * @param question.since milliseconds; when the first submission of the run was tried
 */
export async function findJob(
  run: RunCommand,
  { key, since }: { key: string; since: number },
  options: CommandOptions = {},
): Promise<FoundJob> {
  const name = jobName(key);
  const queue = await queryJobs(run, { kind: 'name', name }, options);
  if (queue.kind === 'silence') return queue;
  const rows = queue.rows
    .filter((row) => row.key === key)
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
      const [first, ...rest] = accounting.jobs;
      if (first === undefined) return { kind: 'none', accounting: true };
      const others = [...new Set(rest.map((job) => job.id))].filter((id) => id !== first.id);
      return { kind: 'found', jobId: first.id, state: first.state, others };
    }
    case 'unknown-job':
      return { kind: 'none', accounting: true };
    case 'no-accounting':
      return { kind: 'none', accounting: false };
    case 'silence':
      return accounting;
  }
}
