import { randomBytes } from 'node:crypto';
import { describeFailure, type CommandOptions, type RunCommand } from '../../base/command.js';
import type { JobRow } from '../job.js';
import { readKey, readMark } from '../job-identity.js';
import { parseJobState, phaseOf } from '../states.js';
import {
  isJobId,
  parseSlurmDuration,
  parseSlurmExitCode,
  parseSlurmNumber,
  parseSlurmText,
  parseSlurmTime,
  type ExitCode,
} from './values.js';

/** Which jobs to query. */
export type JobScope =
  | { kind: 'mine' }
  | { kind: 'all' }
  /** Own jobs with this name: other users may use the same name. */
  | { kind: 'name'; name: string };

export type JobsAnswer =
  /** `unparsable` counts records that could not be parsed: a job missing from `rows` may be among them. */
  { kind: 'answer'; rows: JobRow[]; unparsable: number } | { kind: 'silence'; why: string };

/** The last two fields are free text. */
const fields = [
  'JobArrayID',
  'State',
  'Reason',
  'UserName',
  'Partition',
  'NodeList',
  'NumCPUs',
  'MinMemory',
  'tres-per-node',
  'tres-per-job',
  'TimeUsed',
  'TimeLimit',
  'SubmitTime',
  'StartTime',
  'EndTime',
  'exit_code',
  'Comment',
  'Name',
] as const;

export interface Separators {
  field: string;
  record: string;
}

/**
 * Separators for one query. A job's name and comment may contain any character, including newlines and control characters,
 * so each query has its own unpredictable separators.
 */
export function createSeparators(nonce: string): Separators {
  return { field: `\u001F${nonce}`, record: `\u001E${nonce}` };
}

/** Arguments of squeue: all fields at full length, including ended jobs that Slurm still remembers. */
export function squeueArguments(scope: JobScope, { field, record }: Separators): string[] {
  // a field size would truncate; text after the colon is printed as a suffix (squeue(1), -O)
  const format = fields.map((name, index) => `${name}:${index === fields.length - 1 ? record : field}`);
  return [
    '--all',
    '--states=all',
    '--noheader',
    ...(scope.kind === 'all' ? [] : ['--me']),
    ...(scope.kind === 'name' ? [`--name=${scope.name}`] : []),
    `--Format=${format.join(',')}`,
  ];
}

/** Queries all jobs of a scope at once. Never throws: a failure is `silence`. */
export async function queryJobs(
  run: RunCommand,
  scope: JobScope,
  options: CommandOptions = {},
): Promise<JobsAnswer> {
  const separators = createSeparators(randomBytes(6).toString('hex'));
  const result = await run('squeue', squeueArguments(scope, separators), {
    ...options,
    // seconds since the epoch avoid time zones; the whole list of an array's pending tasks instead of 64 bytes
    env: { ...options.env, SLURM_TIME_FORMAT: '%s', SLURM_BITSTR_LEN: '0' },
  });
  if (result.kind !== 'exited' || result.exitCode !== 0) {
    return { kind: 'silence', why: `squeue ${describeFailure(result)}` };
  }
  return { kind: 'answer', ...parseSqueue(result.stdout, separators) };
}

/** Parses the output for {@link squeueArguments}. */
export function parseSqueue(stdout: string, separators: Separators): { rows: JobRow[]; unparsable: number } {
  const records = stdout.split(separators.record);
  const rest = records.pop() ?? '';
  let unparsable = rest.trim() === '' ? 0 : 1;
  const rows: JobRow[] = [];
  for (const record of records) {
    const row = readRow(record.split(separators.field));
    if (row === null) unparsable++;
    else rows.push(row);
  }
  return { rows, unparsable };
}

function readRow(values: readonly string[]): JobRow | null {
  if (values.length !== fields.length) return null;
  const value = (name: (typeof fields)[number]): string => values[fields.indexOf(name)] ?? '';
  // output of a wrapper precedes the first field
  const id = shortenedId(value('JobArrayID').split('\n').at(-1)?.trim() ?? '');
  const state = parseJobState(value('State'));
  if (!isJobId(id) || state.base === '') return null;
  const startsAt = parseSlurmTime(value('StartTime'));
  const waits = state.base === 'PENDING';
  const reason = parseSlurmText(value('Reason'));
  const name = value('Name').trim();
  const comment = parseSlurmText(value('Comment'));
  return {
    id,
    name,
    user: value('UserName').trim(),
    state,
    reason,
    partition: parseSlurmText(value('Partition')),
    nodes: parseSlurmText(value('NodeList')),
    cpus: parseSlurmNumber(value('NumCPUs')),
    memory: memoryText(value('MinMemory')),
    gres: gresText(value('tres-per-node')) || gresText(value('tres-per-job')),
    elapsed: parseSlurmDuration(value('TimeUsed')),
    timeLimit: parseSlurmDuration(value('TimeLimit')),
    submittedAt: parseSlurmTime(value('SubmitTime')),
    startedAt: waits ? null : startsAt,
    // Slurm shows an expected start for held jobs, too, but they must be released first
    expectedStart: waits && phaseOf(state, reason) !== 'held' ? startsAt : null,
    endedAt: endsAt(value('EndTime'), state.base),
    exitCode: exitCode(value('exit_code'), state.base),
    key: readKey({ name, comment }),
    mark: readMark(comment),
  };
}

/** Drops the task list of an array id if it is too long for a command line, or was truncated. */
function shortenedId(id: string): string {
  if (isJobId(id)) return id;
  const array = /^(\d{1,12})_\[[\d,:%-]*(\.\.\.)?\]?$/.exec(id)?.[1];
  return array === undefined ? id : `${array}_[...]`;
}

const alive = new Set(['PENDING', 'RUNNING', 'SUSPENDED', 'CONFIGURING']);

/** For a running job, Slurm prints when its time limit will be reached. */
function endsAt(text: string, base: string): number | null {
  return alive.has(base) ? null : parseSlurmTime(text);
}

function exitCode(text: string, base: string): ExitCode | null {
  return alive.has(base) ? null : parseSlurmExitCode(text);
}

/** `gres:gpu:1`, in newer releases `gres/gpu:1`, without the redundant prefix. */
function gresText(text: string): string {
  return parseSlurmText(text).replaceAll(/(^|,)gres[:/]/g, '$1');
}

/** `500M`; empty for `0`, which means that no memory was requested. */
function memoryText(text: string): string {
  const bare = parseSlurmText(text);
  return bare === '0' ? '' : bare;
}
