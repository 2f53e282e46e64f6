import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { DsaSlurmError, coerceError, systemCode } from '../../base/errors.js';
import { foldLine, parseLine } from './journal-lines.js';
import type { Run } from './run.js';

/** What a journal file says. */
export interface ReadJournal {
  runs: Map<string, Run>;
  /** Numbers of lines that cannot be read, counted from 1. The events in them are lost, and nothing else. */
  damaged: readonly number[];
  /**
   * Characters of a last line without an end. It was being written when the worker died, and had not been acknowledged
   * to anyone: it is left out.
   */
  torn: number;
  /** The file is there, and its first line does not name the format: it was emptied, or its beginning is lost. */
  headless: boolean;
}

/** Where the journal of a state directory is. */
export function journalPath(stateDirectory: string): string {
  return join(stateDirectory, 'journal.jsonl');
}

/**
 * Folds a journal file into runs and changes nothing: whoever wants to may do so while a worker writes to it. One that
 * is not there has no runs.
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
    throw new DsaSlurmError('files', `The journal ${path} cannot be read: ${coerceError(error).message}.`, {
      next: 'It holds the runs that are under way: make it readable for this user rather than removing it.',
      cause: error,
    });
  }
  const lines = text.split('\n');
  const torn = lines.pop() ?? '';
  const headless = parseLine(lines[0] ?? '') !== 'format';
  for (const [index, line] of lines.entries()) {
    // a write that failed half-way, and a test for room, leave empty ones
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
