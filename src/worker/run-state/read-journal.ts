import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { DsaSlurmError, coerceError, systemCode } from '../../base/errors.js';
import { foldLine, parseLine, versionOf } from './journal-lines.js';
import type { Run } from './run.js';

/** The content of a journal file. */
export interface ReadJournal {
  runs: Map<string, Run>;
  /** Numbers of unreadable lines, counted from 1. Only their events are lost. */
  damaged: readonly number[];
  /**
   * Length of an incomplete last line, which is ignored: the worker died while writing it, so nothing relies on it.
   */
  torn: number;
  /** The file exists, but its first line does not name the format: it was emptied, or its beginning is lost. */
  headless: boolean;
}

/** Path of the journal of a state directory. */
export function journalPath(stateDirectory: string): string {
  return join(stateDirectory, 'journal.jsonl');
}

/** Maximum bytes of the first line. */
const formatBytes = 4_096;

/** The format of a journal file, also of a newer one; null if it does not exist, or does not begin with its format. */
export async function readJournalVersion(path: string): Promise<number | null> {
  let start = '';
  try {
    for await (const piece of createReadStream(path, { encoding: 'utf8', end: formatBytes - 1 }))
      start += piece;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw cannotRead(path, error);
  }
  return versionOf(start.split('\n')[0] ?? '');
}

function cannotRead(path: string, cause: unknown): DsaSlurmError {
  return new DsaSlurmError('files', `The journal ${path} cannot be read: ${coerceError(cause).message}.`, {
    next: 'Make it readable for this user. Do not remove it: it has the runs that are in flight.',
    cause,
  });
}

/**
 * Reads the runs of a journal file, without changing anything; also safe while a worker writes to it. A missing file has no runs.
 * @throws DsaSlurmError `files` if it cannot be read, or was written by a newer version
 */
export async function readJournal(path: string): Promise<ReadJournal> {
  const runs = new Map<string, Run>();
  const damaged: number[] = [];
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { runs, damaged, torn: 0, headless: false };
    throw cannotRead(path, error);
  }
  const lines = text.split('\n');
  const torn = lines.pop() ?? '';
  const headless = parseLine(lines[0] ?? '') !== 'format';
  for (const [index, line] of lines.entries()) {
    // failed writes and checks for free space leave empty lines
    if (line.trim() === '') continue;
    const parsed = parseLine(line);
    if (parsed === 'format') continue;
    if (parsed === 'newer') {
      throw new DsaSlurmError('files', `The journal ${path} was written by a newer dsa-slurm.`, {
        next: 'Start that version again, or let it finish its runs first.',
      });
    }
    if (parsed === 'damaged' || !foldLine(runs, parsed)) damaged.push(index + 1);
  }
  return { runs, damaged, torn: torn.length, headless };
}
