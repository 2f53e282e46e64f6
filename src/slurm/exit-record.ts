import { constants } from 'node:fs';
import { join } from 'node:path';

import { open } from '../base/files/network-fs.js';
import { jobName } from './job-identity.js';

/** What a job used, as its batch script measured it; null where it could not. */
export interface JobUsage {
  /** Time from the start of the batch script to the end of the container. */
  wallMs: number;
  /** User and system time of all processes. */
  cpuMs: number | null;
  /**
   * Highest memory of all processes together. It is sampled every few seconds, but is at least the highest of each single process,
   * which the kernel remembers.
   */
  memoryBytes: number | null;
  /** Highest memory of the job's control group. It includes cached files, so it can be more than the job needed. */
  cgroupMemoryBytes: number | null;
  /** Processes that the kernel killed because the job's memory was exhausted. */
  oomKills: number | null;
  /** What Slurm gave to the job: CPUs of its node, memory, and GPUs. */
  cpus: number | null;
  grantedMemoryBytes: number | null;
  gpus: number | null;
  gpuMemoryBytes: number | null;
}

/**
 * Written beside the log by dsa-slurm's batch script when the container has ended (see templates/singularity.slurm). It is
 * the last source of the outcome once the controller has forgotten the job.
 */
export interface ExitRecord {
  exitCode: number;
  jobId: string;
  node: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  endedAt: number;
  /** The analysis was asked to end because its time limit was near. */
  reachedLimit: boolean;
  /**
   * No signal reached the analysis and Slurm has started it only once, so that its exit code is the whole story. False in a record
   * of an older script.
   */
  undisturbed: boolean;
  /** Size in bytes of the file with standard output; null in a record of an older script. */
  logBytes: number | null;
  /** Null in a record of an older script. */
  usage: JobUsage | null;
}

/** Path of a run's exit record. */
export function exitRecordFile(logsDirectory: string, key: string): string {
  return join(logsDirectory, `${jobName(key)}.exit`);
}

/** The key of the run and the kind of record that a file name in the directory of the logs has; null for other files. */
export function recordName(name: string): { key: string; kind: 'begin' | 'exit' } | null {
  const prefix = jobName('');
  const kind = name.endsWith('.exit') ? 'exit' : name.endsWith('.begin') ? 'begin' : null;
  if (kind === null || !name.startsWith(prefix)) return null;
  return { key: name.slice(prefix.length, -kind.length - 1), kind };
}

/** Parses a record: `key=value` lines, `end` last. Null if it is incomplete or invalid. */
export function parseExitRecord(text: string): ExitRecord | null {
  if (!/(^|\n)end=\d+\n$/.test(text)) return null;
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) values.set(line.slice(0, equals), line.slice(equals + 1));
  }
  const [exit = '', job = '', start = '', end = ''] = ['exit', 'job', 'start', 'end'].map((key) =>
    values.get(key),
  );
  if (!/^\d{1,3}$/.test(exit) || !/^\d{1,12}(_\d{1,9})?$/.test(job)) return null;
  if (!/^\d{1,12}$/.test(start) || !/^\d{1,12}$/.test(end)) return null;
  return {
    exitCode: Number(exit),
    jobId: job,
    node: values.get('node') ?? '',
    startedAt: Number(start) * 1000,
    endedAt: Number(end) * 1000,
    reachedLimit: values.get('limit') === 'reached',
    undisturbed: values.get('undisturbed') === 'yes',
    logBytes: wholeNumber(values.get('log')),
    usage: usageOf(values, (Number(end) - Number(start)) * 1_000),
  };
}

function usageOf(values: ReadonlyMap<string, string>, wallMs: number): JobUsage | null {
  const number = (key: string): number | null => wholeNumber(values.get(key));
  const [cpuMs, memoryBytes] = [number('cpu'), number('memory')];
  if (cpuMs === null && memoryBytes === null) return null;
  return {
    wallMs: Math.max(0, wallMs),
    cpuMs,
    memoryBytes,
    cgroupMemoryBytes: number('cgroup_memory'),
    oomKills: number('oom_kills'),
    cpus: number('cpus'),
    grantedMemoryBytes: number('memory_granted'),
    gpus: number('gpus'),
    gpuMemoryBytes: number('gpu_memory'),
  };
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** Path of the record that the batch script writes when the container begins; beside the exit record. */
export function beginRecordFile(exitRecord: string): string {
  return `${exitRecord.replace(/\.exit$/, '')}.begin`;
}

/** The id of the job that wrote a begin record; null if it is incomplete or invalid. */
export function parseBeginRecord(text: string): string | null {
  return /^job=(\d{1,12}(?:_\d{1,9})?)\nstart=\d{1,12}\n$/.exec(text)?.[1] ?? null;
}

/** Reads the begin record at `path`, as {@link readExitRecord} does. */
export async function readBeginRecord(path: string): Promise<string | null> {
  const text = await readRecord(path);
  return text === null ? null : parseBeginRecord(text);
}

/** Reads the record at `path`. Null if the file is missing, cannot be read or is not a complete record. */
export async function readExitRecord(path: string): Promise<ExitRecord | null> {
  const text = await readRecord(path);
  return text === null ? null : parseExitRecord(text);
}

async function readRecord(path: string): Promise<string | null> {
  try {
    // a container may have put a FIFO there: opening it in blocking mode would occupy a libuv thread forever
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    // A record has a few hundred bytes; anything longer is not a record.
    const buffer = Buffer.alloc(4096);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch {
    return null;
  }
}
