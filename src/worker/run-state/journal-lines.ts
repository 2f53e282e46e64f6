import { crc32 } from 'node:zlib';

import { applyEvent, beginRun, noFollowUps, type Run, type RunEvent } from './run.js';

/** The content of a journal line: an event, or a complete run written by a compaction. */
export type Line = { run: string; event: RunEvent } | { snapshot: Run };

/**
 * Incremented when an older version could not read the journal correctly. 2: checksums, retried and forgotten runs; 3: uploads
 * in progress, log chunks that include streams; 4: events about errors of Girder.
 */
export const journalVersion = 4;

/** The first line of a journal, which names its format. */
export const formatLine = JSON.stringify({ journal: 'dsa-slurm', version: journalVersion });

const checksum = /^(?<text>.*),"crc":"(?<crc>[0-9a-f]{8})"\}$/s;

/** Serializes a line with a checksum, so that a flipped bit in a job id cannot point to another job. */
export function writeLine(line: Line): string {
  const text = JSON.stringify(line);
  return `${text.slice(0, -1)},"crc":"${crcOf(text)}"}`;
}

function crcOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

/** Parses a line. Lines of version 1 have no checksum. */
export function parseLine(line: string): Line | 'format' | 'newer' | 'damaged' {
  const checked = checksum.exec(line)?.groups;
  const text = checked === undefined ? line : `${checked['text']}}`;
  if (checked !== undefined && crcOf(text) !== checked['crc']) return 'damaged';
  return readLine(text);
}

/** Parses a line whose checksum may be wrong, for a recovery that an operator requests. Null if it cannot be parsed. */
export function salvageLine(line: string): Line | null {
  const read = readLine(line);
  return typeof read === 'string' ? null : read;
}

function readLine(text: string): Line | 'format' | 'newer' | 'damaged' {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'damaged';
  }
  if (typeof value !== 'object' || value === null) return 'damaged';
  if ('journal' in value) return isKnownVersion(value) ? 'format' : 'newer';
  if ('snapshot' in value && isRunLike(value.snapshot)) return { snapshot: value.snapshot };
  if ('run' in value && 'event' in value && typeof value.run === 'string' && isEventLike(value.event)) {
    return { run: value.run, event: value.event };
  }
  return 'damaged';
}

function isKnownVersion(value: object): boolean {
  const version = versionIn(value);
  return version !== null && version <= journalVersion;
}

function versionIn(value: object): number | null {
  const version = 'version' in value ? value.version : null;
  return typeof version === 'number' && Number.isInteger(version) && version >= 1 ? version : null;
}

/** The format that a line names, known or not; null if it names none. */
export function versionOf(line: string): number | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'journal' in value ? versionIn(value) : null;
  } catch {
    return null;
  }
}

function isRunLike(value: unknown): value is Run {
  return typeof value === 'object' && value !== null && 'id' in value && 'stage' in value && 'task' in value;
}

function isEventLike(value: unknown): value is RunEvent {
  return (
    typeof value === 'object' &&
    value !== null &&
    'at' in value &&
    'type' in value &&
    typeof value.type === 'string' &&
    Object.hasOwn(eventTypes, value.type)
  );
}

const eventTypes: Record<RunEvent['type'], true> = {
  accepted: true,
  described: true,
  staging: true,
  staged: true,
  submitting: true,
  submitted: true,
  waiting: true,
  started: true,
  progress: true,
  'girder-problem': true,
  'log-sending': true,
  'log-sent': true,
  'stream-read': true,
  'stream-broken': true,
  'job-ended': true,
  'output-begun': true,
  'output-done': true,
  'cancel-requested': true,
  decided: true,
  'follow-up-asked': true,
  'follow-up-job': true,
  'follow-up-published': true,
  finished: true,
  retrying: true,
  retried: true,
  'retry-dropped': true,
  forgotten: true,
};

/** Fields that runs in journals of older versions do not have. */
const addedLater = {
  streamOffsets: {},
  pieceOnItsWay: null,
  logOnItsWay: null,
  streamsOnItsWay: {},
  brokenStream: null,
  outputsBegun: {},
  followUps: noFollowUps,
  stages: [],
  facts: null,
  retryOf: null,
  retry: null,
} satisfies Partial<Run>;

/** Applies a line to the runs. False if it does not fit: an event of an unknown run. */
export function foldLine(runs: Map<string, Run>, line: Line): boolean {
  if ('snapshot' in line) {
    runs.set(line.snapshot.id, { ...addedLater, ...line.snapshot });
    return true;
  }
  const { run: id, event } = line;
  const known = runs.get(id);
  if (event.type === 'accepted') {
    if (known === undefined) runs.set(id, beginRun(event));
    return true;
  }
  if (event.type === 'forgotten') {
    runs.delete(id);
    return true;
  }
  if (known === undefined) return false;
  runs.set(id, applyEvent(known, event));
  return true;
}
