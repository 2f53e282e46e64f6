import type { Clock } from '../../base/clock.js';
import { DsaSlurmError } from '../../base/errors.js';
import { journalPath, readJournal } from '../run-state/read-journal.js';
import { createBatchRuns, type BatchRun } from './batch-run.js';
import { groupIntoBatches } from './group.js';
import { summarizeBatches, type Batch } from './summary.js';

/** The batches of a journal. */
export interface JournalBatches {
  /** Newest first. */
  batches: readonly Batch[];
  /** All runs that can belong to a batch, by id. */
  runs: ReadonlyMap<string, BatchRun>;
  /** Number of unreadable lines of the journal. */
  damagedLines: number;
}

/**
 * Reads the batches from the journal, whether a worker runs or not. Changes nothing and takes no lock.
 * @throws DsaSlurmError `files` if the journal cannot be read
 */
export async function readBatches(stateDirectory: string, clock: Clock): Promise<JournalBatches> {
  const { runs, damaged } = await readJournal(journalPath(stateDirectory));
  const read = createBatchRuns();
  const known = new Map<string, BatchRun>();
  for (const run of runs.values()) {
    const each = read(run);
    if (each !== null) known.set(each.id, each);
  }
  return {
    batches: summarizeBatches(groupIntoBatches(known.values()), clock.now()),
    runs: known,
    damagedLines: damaged.length,
  };
}

/** A shorter prefix of an id may be a typo. */
const minPrefixLength = 4;

/**
 * Finds a batch by its id or a prefix of it.
 * @throws DsaSlurmError `unknown` if there is none; `usage` if several match
 */
export function findBatch(batches: readonly Batch[], word: string): Batch {
  const named = batches.filter(
    ({ id }) => id === word || (word.length >= minPrefixLength && id.startsWith(word)),
  );
  const [batch, other] = named;
  if (batch === undefined) {
    throw new DsaSlurmError('unknown', `There is no batch ${word}.`, { next: 'See: dsa-slurm batches list' });
  }
  if (other === undefined) return batch;
  throw new DsaSlurmError('usage', `${word} matches ${named.length} batches.`, {
    next: 'Use a longer prefix of the id.',
  });
}
