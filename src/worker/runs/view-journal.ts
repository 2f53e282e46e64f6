import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Clock } from '../../base/clock.js';
import { createRunViews } from '../views/snapshots.js';
import { journalPath, readJournal } from '../run-state/read-journal.js';
import { runDetail } from '../views/run-detail.js';
import { isCertainlyDead, parseOwner, type ProcessIdentity } from '../run-state/process-identity.js';
import type { RunsView } from './runs-view.js';

/** Reads all runs from the journal, whether a worker runs or not. Changes nothing and takes no lock. */
export async function viewJournal(stateDirectory: string, clock: Clock): Promise<RunsView> {
  const [{ runs, damaged }, owner] = await Promise.all([
    readJournal(journalPath(stateDirectory)),
    readOwner(stateDirectory),
  ]);
  const viewOf = createRunViews();
  return {
    source: 'journal',
    worker: owner,
    damagedLines: damaged.length,
    runs: Array.from(runs.values(), viewOf),
    orphans: [],
    orphansUnknown: 'Slurm was not asked',
    async detail(id) {
      const run = runs.get(id);
      return run === undefined ? null : runDetail(run, viewOf(run), clock.now());
    },
  };
}

/** The process that holds the state directory; null if it is certainly dead. */
export async function readOwner(stateDirectory: string): Promise<ProcessIdentity | null> {
  const owner = parseOwner(await readFile(join(stateDirectory, 'worker.owner'), 'utf8').catch(() => ''));
  return owner === null || (await isCertainlyDead(owner)) ? null : owner;
}
