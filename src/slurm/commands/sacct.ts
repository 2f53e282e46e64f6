import { randomBytes } from 'node:crypto';
import { describeFailure, type CommandOptions, type RunCommand } from '../../base/command.js';
import { parseJobState, type JobState } from '../states.js';
import { isJobId, parseSlurmExitCode, parseSlurmTime, type ExitCode } from './values.js';

/** One job in the accounting database. */
export interface AccountedJob {
  id: string;
  name: string;
  state: JobState;
  exitCode: ExitCode | null;
  submittedAt: number | null;
  startedAt: number | null;
  endedAt: number | null;
}

export type AccountingAnswer =
  /** Latest submission first. */
  | { kind: 'jobs'; jobs: AccountedJob[] }
  | { kind: 'unknown-job' }
  /** The site has no accounting, or no sacct. */
  | { kind: 'no-accounting' }
  | { kind: 'silence'; why: string };

export interface AccountingQuestion {
  /** Always part of the query: ids start again after a reset of the cluster. */
  name: string;
  jobId?: string;
  /** Milliseconds since the epoch; without it and an id, sacct shows only today's jobs. */
  since?: number;
}

/** Asks the accounting database for a job by its name, and by its id if that is known. Never throws. */
export async function accountedJob(
  run: RunCommand,
  question: AccountingQuestion,
  options: CommandOptions = {},
): Promise<AccountingAnswer> {
  const delimiter = `\u001F${randomBytes(6).toString('hex')}`;
  const result = await run('sacct', sacctArguments(question, delimiter), {
    ...options,
    env: { ...options.env, SLURM_TIME_FORMAT: '%s' },
  });
  if (result.kind === 'missing') return { kind: 'no-accounting' };
  if (result.kind === 'exited' && /accounting storage is disabled/i.test(result.stderr + result.stdout)) {
    return { kind: 'no-accounting' };
  }
  if (result.kind !== 'exited' || result.exitCode !== 0) {
    return { kind: 'silence', why: `sacct ${describeFailure(result)}` };
  }
  const jobs = parseSacct(result.stdout, delimiter).filter((job) => job.name === question.name);
  if (jobs.length === 0) {
    return result.stdout.trim() === ''
      ? { kind: 'unknown-job' }
      : { kind: 'silence', why: 'sacct answered about other jobs' };
  }
  return { kind: 'jobs', jobs };
}

/** Arguments of sacct: jobs without their steps. */
export function sacctArguments({ name, jobId, since }: AccountingQuestion, delimiter: string): string[] {
  return [
    '--allocations',
    '--noheader',
    '--parsable2',
    `--delimiter=${delimiter}`,
    '--format=JobID,State,ExitCode,Submit,Start,End,JobName',
    `--name=${name}`,
    ...(jobId === undefined ? [] : [`--jobs=${jobId}`]),
    ...(since === undefined ? [] : [`--starttime=${localTime(since)}`]),
  ];
}

/** Parses the output for {@link sacctArguments}; other lines are ignored. */
export function parseSacct(stdout: string, delimiter: string): AccountedJob[] {
  return stdout
    .split('\n')
    .flatMap((line) => {
      const [id = '', state = '', exit = '', submit = '', start = '', end = '', name] = line.split(delimiter);
      if (name === undefined || !isJobId(id.trim())) return [];
      return [
        {
          id: id.trim(),
          name: name.trim(),
          state: parseJobState(state),
          exitCode: parseSlurmExitCode(exit),
          submittedAt: parseSlurmTime(submit),
          startedAt: parseSlurmTime(start),
          endedAt: parseSlurmTime(end),
        },
      ];
    })
    .sort((a, b) => (b.submittedAt ?? 0) - (a.submittedAt ?? 0));
}

/** `2026-11-23T19:28:39` in this host's time zone, as Slurm's commands expect it. */
function localTime(ms: number): string {
  const offset = new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms - offset).toISOString().slice(0, 19);
}
