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

/** Whose jobs are asked for. */
export type JobScope =
  | { kind: 'mine' }
  | { kind: 'all' }
  /** Our jobs of this name: anyone may give a job any name. */
  | { kind: 'name'; name: string };

export type JobsAnswer =
  /** `unparsable` counts records that could not be read: a job that is missing from `rows` may be among them. */
  { kind: 'answer'; rows: JobRow[]; unparsable: number } | { kind: 'silence'; why: string };

/** The last field is free text, and so is the one before it; the order is that of {@link readRow}. */
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
 * Separators for one question. A job's name and comment may hold any character, newlines and control characters
 * included, so each question has its own that nobody can have put there.
 */
export function createSeparators(nonce: string): Separators {
  return { field: `\u001F${nonce}`, record: `\u001E${nonce}` };
}

/** The arguments of squeue: all fields at full length, jobs that have ended and are still remembered too. */
export function squeueArguments(scope: JobScope, { field, record }: Separators): string[] {
  // A size would cut; the text after the colon is printed after the field (squeue(1), -O).
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

/** Asks once for all jobs of a scope. Never throws: what could not be learnt is `silence`. */
export async function queryJobs(
  run: RunCommand,
  scope: JobScope,
  options: CommandOptions = {},
): Promise<JobsAnswer> {
  const separators = createSeparators(randomBytes(6).toString('hex'));
  const result = await run('squeue', squeueArguments(scope, separators), {
    ...options,
    // Seconds since the epoch: no time zone, no summer time. The whole list of an array's waiting tasks, not 64 bytes.
    env: { ...options.env, SLURM_TIME_FORMAT: '%s', SLURM_BITSTR_LEN: '0' },
  });
  if (result.kind !== 'exited' || result.exitCode !== 0) {
    return { kind: 'silence', why: `squeue ${describeFailure(result)}` };
  }
  return { kind: 'answer', ...parseSqueue(result.stdout, separators) };
}

/** Reads what squeue printed for {@link squeueArguments}. */
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
  // Whatever a wrapper printed before the record stands in front of its first field.
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
    // Slurm gives one to held jobs too, but only a person can let them start
    expectedStart: waits && phaseOf(state, reason) !== 'held' ? startsAt : null,
    endedAt: endsAt(value('EndTime'), state.base),
    exitCode: exitCode(value('exit_code'), state.base),
    key: readKey({ name, comment }),
    mark: readMark(comment),
  };
}

/** An id with so many single tasks that it cannot go on a command line, or that was cut short, without its tasks. */
function shortenedId(id: string): string {
  if (isJobId(id)) return id;
  const array = /^(\d{1,12})_\[[\d,:%-]*(\.\.\.)?\]?$/.exec(id)?.[1];
  return array === undefined ? id : `${array}_[...]`;
}

const alive = new Set(['PENDING', 'RUNNING', 'SUSPENDED', 'CONFIGURING']);

/** For a job that still runs Slurm prints when its time limit will end it. */
function endsAt(text: string, base: string): number | null {
  return alive.has(base) ? null : parseSlurmTime(text);
}

function exitCode(text: string, base: string): ExitCode | null {
  return alive.has(base) ? null : parseSlurmExitCode(text);
}

/** `gres:gpu:1`, in newer releases `gres/gpu:1`: without the word that says nothing. */
function gresText(text: string): string {
  return parseSlurmText(text).replaceAll(/(^|,)gres[:/]/g, '$1');
}

/** `500M`; nothing for `0`, which is how Slurm prints that no memory was asked for. */
function memoryText(text: string): string {
  const bare = parseSlurmText(text);
  return bare === '0' ? '' : bare;
}
