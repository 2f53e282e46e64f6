import { describeFailure, type CommandOptions, type RunCommand } from '../../base/command.js';
import { arrayRest } from '../array-rest.js';
import { parseJobState, type JobState } from '../states.js';
import { isJobId, parseSlurmExitCode, parseSlurmText, parseSlurmTime, type ExitCode } from './values.js';

/** One job as `scontrol show job` describes it. */
export interface JobDetails {
  id: string;
  name: string;
  comment: string;
  state: JobState;
  reason: string;
  exitCode: ExitCode | null;
  /** Slurm may requeue it after a node failure or preemption. */
  requeueable: boolean;
  restarts: number;
  nodes: string;
  startedAt: number | null;
  endedAt: number | null;
  /** The full output. */
  text: string;
  /** The same as pairs, in Slurm's order. */
  pairs: readonly JobFact[];
}

/** A key and its value as Slurm prints them. */
export type JobFact = readonly [key: string, value: string];

export type JobDetailsAnswer =
  | { kind: 'job'; job: JobDetails }
  /** The controller answered that it does not know this id. */
  | { kind: 'unknown-job' }
  | { kind: 'silence'; why: string };

/** Queries one job. Never throws. */
export async function showJob(
  run: RunCommand,
  jobId: string,
  options: CommandOptions = {},
): Promise<JobDetailsAnswer> {
  if (!isJobId(jobId)) return { kind: 'silence', why: 'invalid job id' };
  const result = await run('scontrol', ['show', 'job', jobId], options);
  if (result.kind === 'exited' && /invalid job id/i.test(result.stderr + result.stdout)) {
    return { kind: 'unknown-job' };
  }
  if (result.kind !== 'exited' || result.exitCode !== 0) {
    return { kind: 'silence', why: `scontrol ${describeFailure(result)}` };
  }
  const job = parseShowJob(result.stdout);
  return job === null
    ? { kind: 'silence', why: 'the output of scontrol could not be parsed' }
    : { kind: 'job', job };
}

export type BatchScriptAnswer =
  | { kind: 'script'; text: string }
  /** Slurm's refusal, or why it did not answer. */
  | { kind: 'silence'; why: string };

/** Slurm accepts scripts of 4 MB unless the site allows more. */
const maxScriptBytes = 16 * 1024 * 1024;

/**
 * The batch script of a job, which Slurm shows to the job's owner and to operators. Never throws.
 * @param jobId as squeue prints it
 */
export async function readBatchScript(
  run: RunCommand,
  jobId: string,
  options: CommandOptions = {},
): Promise<BatchScriptAnswer> {
  if (!isJobId(jobId)) return { kind: 'silence', why: 'invalid job id' };
  let id = arrayRest(jobId)?.array ?? jobId;
  if (!/^\d+$/.test(id)) {
    // scontrol finds a script only by the number that the task itself has
    const shown = await showJob(run, id, options);
    if (shown.kind !== 'job')
      return shown.kind === 'silence' ? shown : { kind: 'silence', why: 'Slurm no longer knows this job' };
    ({ id } = shown.job);
  }
  const result = await run('scontrol', ['write', 'batch_script', id, '-'], {
    ...options,
    maxBytes: maxScriptBytes,
  });
  return result.kind === 'exited' && result.exitCode === 0
    ? { kind: 'script', text: result.stdout }
    : { kind: 'silence', why: `scontrol ${describeFailure(result)}` };
}

/**
 * Parses the first job of `scontrol show job`. Every line but the first begins with three spaces and a key; values may
 * contain spaces, so keys are matched only at known positions.
 */
export function parseShowJob(text: string): JobDetails | null {
  const head = /^\s*JobId=(\d+)(?:.*? )??JobName=([\s\S]*?)\n {3}UserId=/.exec(text);
  if (head?.[1] === undefined) return null;
  const start = head.index + head[0].length;
  // a job array has one block per record
  const next = text.indexOf('\nJobId=', start);
  const body = next === -1 ? text.slice(start) : text.slice(start, next);
  const state = /^ {3}JobState=(\S+) Reason=(.*?)(?: FailedNode=\S+)?(?: Dependency=.*)?$/m.exec(body);
  if (state?.[1] === undefined) return null;
  return {
    id: head[1],
    name: head[2] ?? '',
    comment: parseSlurmText(line(body, 'Comment') ?? ''),
    state: parseJobState(state[1]),
    reason: parseSlurmText(state[2] ?? ''),
    exitCode: parseSlurmExitCode(/ExitCode=(\d+:\d+)/.exec(body)?.[1] ?? ''),
    requeueable: /^ {3}Requeue=1\b/m.test(body),
    restarts: Number(/\bRestarts=(\d+)/.exec(body)?.[1] ?? 0),
    nodes: parseSlurmText(line(body, 'NodeList') ?? ''),
    startedAt: parseSlurmTime(/^ {3}StartTime=(\S+)/m.exec(body)?.[1] ?? ''),
    endedAt: parseSlurmTime(/\bEndTime=(\S+)/.exec(body)?.[1] ?? ''),
    text: text.trimEnd(),
    pairs: readPairs(head[0], body),
  };
}

/**
 * Keys whose value is arbitrary text up to the end of the line, by `_sprint_job_info()` of Slurm's `scontrol`. Those that
 * share a line with another key (`Features`, `BatchFeatures`, `MailUser`) contain no spaces.
 */
const wholeLine =
  /^ {3}(AdminComment|BurstBuffer|BurstBufferState|Command|Comment|Extra|Power|Reservation|StdErr|StdIn|StdOut|SubmitLine|SystemComment|WorkDir)=(.*)$/;

/** @param head the first lines up to and including `UserId=`, because a job's name may contain anything */
function readPairs(head: string, body: string): JobFact[] {
  const [, before = '', name = ''] = /^\s*([\s\S]*?)JobName=([\s\S]*)\n {3}UserId=$/.exec(head) ?? [];
  const pairs: JobFact[] = [...inLine(before), ['JobName', name]];
  for (const line of `   UserId=${body}`.split('\n')) {
    const whole = wholeLine.exec(line);
    if (whole?.[1] !== undefined) pairs.push([whole[1], whole[2] ?? '']);
    else pairs.push(...inLine(line));
  }
  return pairs;
}

/** `Key=Value Key=Value`: a key is the word between a space and an equals sign. */
function inLine(text: string): JobFact[] {
  return [...text.matchAll(/(?:^|\s)([A-Za-z][\w/:*.-]*)=(.*?)(?=\s+[A-Za-z][\w/:*.-]*=|\s*$)/g)].map(
    (match): JobFact => [match[1] ?? '', match[2] ?? ''],
  );
}

function line(body: string, key: string): string | undefined {
  return new RegExp(`^ {3}${key}=(.*)$`, 'm').exec(body)?.[1];
}
