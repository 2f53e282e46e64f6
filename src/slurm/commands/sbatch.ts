import {
  describeFailure,
  type CommandOptions,
  type CommandResult,
  type RunCommand,
} from '../../base/command.js';
import { jobComment, jobName } from '../job-identity.js';
import type { SbatchOption } from '../options.js';
import { refusalCause, type RefusalCause } from '../refusals.js';
import { isJobId } from './values.js';

export interface Submission {
  /** Absolute path, on a file system that the nodes share. */
  logFile: string;
  /** Files for one of the two streams instead of the log. */
  streams?: { stdout?: string; stderr?: string };
  /** What the job needs, already checked: `[['partition', 'main'], ['exclusive', null]]`. */
  options: readonly SbatchOption[];
  /** See `runKey`. */
  key: string;
  /** See `jobComment`. */
  mark?: string;
  /** Path of the batch script. */
  script: string;
  scriptArgs: readonly string[];
}

/**
 * The arguments of sbatch.
 *
 * Both streams go to one file, as the Python worker has it; naming both overrides what the site's script says. The file
 * is appended to, so that a requeue does not erase what has been read from it, and two streams do not overwrite one
 * another.
 */
export function submitArguments(submission: Submission): string[] {
  const { logFile, streams } = submission;
  return [
    '--parsable',
    `--job-name=${jobName(submission.key)}`,
    `--comment=${jobComment(submission.key, submission.mark)}`,
    `--output=${escapeFileName(streams?.stdout ?? logFile)}`,
    `--error=${escapeFileName(streams?.stderr ?? logFile)}`,
    '--open-mode=append',
    ...submission.options.map(([name, value]) => (value === null ? `--${name}` : `--${name}=${value}`)),
    submission.script,
    ...submission.scriptArgs,
  ];
}

/**
 * A path as sbatch's file name pattern that means that very path (sbatch(1), "FILENAME PATTERN"; measured on 22.05): a
 * backslash anywhere turns the replacement of `%` off, and is itself removed.
 */
export function escapeFileName(path: string): string {
  return path.includes('\\') ? path.replaceAll('\\', '\\\\') : path.replaceAll('%', '%%');
}

export type SubmitResult =
  | { kind: 'submitted'; jobId: string; cluster: string | null }
  /** There is no job; `cause` decides whether the request is worth repeating. */
  | { kind: 'refused'; said: string; cause: RefusalCause }
  /** There may be a job: to be looked up by its key (`findJob`), never to be guessed. */
  | { kind: 'unclear'; why: string };

/**
 * Runs sbatch once.
 * @param args from {@link submitArguments}
 * @param options `env` is seen by the batch script; the time limit defaults to 120 s, because sbatch itself waits and
 * tries again while the controller is full
 */
export async function submit(
  run: RunCommand,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<SubmitResult> {
  return readSubmitAnswer(await run('sbatch', args, { timeoutMs: 120_000, ...options }));
}

/** Errors after which the controller may have taken the job all the same. */
const unclearError =
  /timed? ?out|unable to contact|zero bytes|connect(ion)? (failure|refused|reset|closed)|communication|transport endpoint|unexpected message|standby|socket|receiving|persistent connection/i;

/** What an answer of sbatch means. */
export function readSubmitAnswer(result: CommandResult): SubmitResult {
  switch (result.kind) {
    case 'missing': {
      const words = `sbatch ${describeFailure(result)}`;
      return { kind: 'refused', said: words, cause: refusalCause(words, null) };
    }
    case 'timeout':
    case 'killed':
    case 'overflow':
    case 'aborted':
      return { kind: 'unclear', why: `sbatch ${describeFailure(result)}` };
    case 'exited':
      break;
  }
  const job = parseSubmitted(result.stdout);
  if (result.exitCode === 0) {
    return job === null
      ? { kind: 'unclear', why: `sbatch gave no job id, it said "${said(result.stdout, result.stderr)}"` }
      : { kind: 'submitted', ...job };
  }
  const words = said(result.stderr, result.stdout);
  if (job !== null || unclearError.test(words)) {
    return { kind: 'unclear', why: `sbatch ${describeFailure(result)}` };
  }
  return {
    kind: 'refused',
    said: words === '' ? `sbatch exited with ${result.exitCode} without a word` : words,
    cause: refusalCause(words, result.exitCode),
  };
}

function said(first: string, second: string): string {
  return (first.trim() || second.trim()).slice(0, 2_000);
}

/**
 * The job id in what sbatch printed: the sentence, or the `--parsable` form, each with a cluster or without, among
 * lines of a site's wrapper. Null if there is none, more than one, or a number that is not a job id.
 */
export function parseSubmitted(stdout: string): { jobId: string; cluster: string | null } | null {
  const lines = stdout.split(/\r?\n/).map((line) => line.trim());
  const sentence = /^(?:sbatch: )?Submitted batch job (\d+)(?: on cluster (\S+))?\.?$/i;
  const parsable = /^(\d+)(?:;(\S+))?$/;
  for (const form of [sentence, parsable]) {
    const found = lines.flatMap((line) => {
      const match = form.exec(line);
      return match?.[1] === undefined ? [] : [{ jobId: match[1], cluster: match[2] ?? null }];
    });
    const first = found[0];
    if (first === undefined) continue;
    if (!isJobId(first.jobId)) return null;
    return found.every((other) => other.jobId === first.jobId) ? first : null;
  }
  return null;
}
