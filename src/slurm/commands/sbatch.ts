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
  /** Absolute path, on a file system shared with the nodes. */
  logFile: string;
  /** Separate files for one or both streams. */
  streams?: { stdout?: string; stderr?: string };
  /** Validated options: `[['partition', 'main'], ['exclusive', null]]`. */
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
 * Both streams go to one file, as in the Python worker; naming both overrides the site's script. The file is opened for
 * appending, so that a requeue does not erase what was already read, and the two streams do not overwrite each other.
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
 * Escapes a path for sbatch's file name patterns (sbatch(1), "FILENAME PATTERN"; tested on 22.05): a backslash anywhere turns
 * off the replacement of `%`, and is itself removed.
 */
export function escapeFileName(path: string): string {
  return path.includes('\\') ? path.replaceAll('\\', '\\\\') : path.replaceAll('%', '%%');
}

export type SubmitResult =
  | { kind: 'submitted'; jobId: string; cluster: string | null }
  /** No job was created; `cause` decides whether to retry. */
  | { kind: 'refused'; message: string; cause: RefusalCause }
  /** There may be a job: look it up by its key (`findJob`). */
  | { kind: 'unclear'; why: string };

/**
 * Runs sbatch once.
 * @param args from {@link submitArguments}
 * @param options `env` is exported to the batch script; the timeout defaults to 120 s, because sbatch itself retries while
 * the controller accepts no jobs
 */
export async function submit(
  run: RunCommand,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<SubmitResult> {
  return readSubmitAnswer(await run('sbatch', args, { timeoutMs: 120_000, ...options }));
}

/** Errors after which the controller may have accepted the job nevertheless. */
const unclearError =
  /timed? ?out|unable to contact|zero bytes|connect(ion)? (failure|refused|reset|closed)|communication|transport endpoint|unexpected message|standby|socket|receiving|persistent connection/i;

/** Interprets the result of sbatch. */
export function readSubmitAnswer(result: CommandResult): SubmitResult {
  switch (result.kind) {
    case 'missing': {
      const message = `sbatch ${describeFailure(result)}`;
      return { kind: 'refused', message, cause: refusalCause(message, null) };
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
      ? { kind: 'unclear', why: `sbatch printed no job id: "${firstOutput(result.stdout, result.stderr)}"` }
      : { kind: 'submitted', ...job };
  }
  const message = firstOutput(result.stderr, result.stdout);
  if (job !== null || unclearError.test(message)) {
    return { kind: 'unclear', why: `sbatch ${describeFailure(result)}` };
  }
  return {
    kind: 'refused',
    message: message === '' ? `sbatch exited with code ${result.exitCode} and printed nothing` : message,
    cause: refusalCause(message, result.exitCode),
  };
}

/** The first of two outputs that is not empty. */
function firstOutput(first: string, second: string): string {
  return (first.trim() || second.trim()).slice(0, 2_000);
}

/**
 * The job id in sbatch's output: the sentence or the `--parsable` form, each with or without a cluster, among the lines of a
 * site's wrapper. Null if there is no id, more than one, or an invalid one.
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
