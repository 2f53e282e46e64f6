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

export type AccountedHistory = Exclude<AccountingAnswer, { kind: 'unknown-job' }>;

export interface AccountingQuestion {
  /** Always part of the query: ids start again after a reset of the cluster. */
  name: string;
  jobId?: string;
  /** Milliseconds since the epoch; without it and an id, sacct shows only today's jobs. */
  since?: number;
}

/** The jobs of one user since a time. */
export interface HistoryQuestion {
  uid: number;
  since: number;
}

/** Asks the accounting database for a job by its name, and by its id if that is known. Never throws. */
export async function accountedJob(
  run: RunCommand,
  question: AccountingQuestion,
  options: CommandOptions = {},
): Promise<AccountingAnswer> {
  const answer = await querySacct(run, question, options);
  if (answer.kind !== 'jobs') return answer;
  const jobs = answer.jobs.filter((job) => job.name === question.name);
  if (jobs.length > 0) return { kind: 'jobs', jobs };
  return answer.isEmpty
    ? { kind: 'unknown-job' }
    : { kind: 'silence', why: 'sacct answered about other jobs' };
}

/** Asks the accounting database for all jobs of a user, waiting and running ones included. Never throws. */
export async function accountedHistory(
  run: RunCommand,
  question: HistoryQuestion,
  options: CommandOptions = {},
): Promise<AccountedHistory> {
  const answer = await querySacct(run, question, options);
  return answer.kind === 'jobs' && answer.jobs.length === 0 && !answer.isEmpty
    ? { kind: 'silence', why: 'the output of sacct could not be parsed' }
    : answer;
}

/** `isEmpty`: sacct printed nothing. */
async function querySacct(
  run: RunCommand,
  question: AccountingQuestion | HistoryQuestion,
  options: CommandOptions,
): Promise<
  | { kind: 'jobs'; jobs: AccountedJob[]; isEmpty: boolean }
  | { kind: 'no-accounting' }
  | { kind: 'silence'; why: string }
> {
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
  return {
    kind: 'jobs',
    jobs: parseSacct(result.stdout, delimiter),
    isEmpty: result.stdout.trim() === '',
  };
}

/** Arguments of sacct: jobs without their steps. */
export function sacctArguments(question: AccountingQuestion | HistoryQuestion, delimiter: string): string[] {
  const { since } = question;
  return [
    '--allocations',
    '--noheader',
    '--parsable2',
    `--delimiter=${delimiter}`,
    '--format=JobID,State,ExitCode,Submit,Start,End,JobName',
    ...('uid' in question
      ? [`--user=${question.uid}`]
      : [`--name=${question.name}`, ...(question.jobId === undefined ? [] : [`--jobs=${question.jobId}`])]),
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
