import { constants } from 'node:fs';
import { join } from 'node:path';

import { open } from '../base/network-fs.js';
import { jobName } from './job-identity.js';

/**
 * What our batch script writes beside the log when the container has ended (see templates/singularity.slurm): the last
 * witness of a job that the controller has forgotten.
 */
export interface ExitRecord {
  exitCode: number;
  jobId: string;
  node: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  endedAt: number;
  /** The time limit was near when the analysis ended: it had been asked to end. */
  reachedLimit: boolean;
  /** Bytes of the file that standard output went to; null in a record of an older script. */
  logBytes: number | null;
}

/** Where the batch script of a run writes its record. */
export function exitRecordFile(logsDirectory: string, key: string): string {
  return join(logsDirectory, `${jobName(key)}.exit`);
}

/** Reads a record: lines `key=value`, `end` last. Null for one that is torn, or none. */
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
    logBytes: /^\d{1,15}$/.test(values.get('log') ?? '') ? Number(values.get('log')) : null,
  };
}

/** Reads the record at `path`. A file that is not there, cannot be read or is no record is null. */
export async function readExitRecord(path: string): Promise<ExitRecord | null> {
  try {
    // a container may have put a pipe there, and waiting for its writer would hold a thread of this process for ever
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    // A record has about a hundred bytes; anything longer is none.
    const buffer = Buffer.alloc(4096);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return parseExitRecord(buffer.toString('utf8', 0, bytesRead));
  } catch {
    return null;
  }
}
