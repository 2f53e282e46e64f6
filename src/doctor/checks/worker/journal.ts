import { stat } from 'node:fs/promises';
import { systemCode } from '../../../base/errors.js';
import { journalPath, readJournal } from '../../../worker/run-state/read-journal.js';
import type { Run } from '../../../worker/run-state/run.js';
import type { Check } from '../../check.js';
import { bytes, count, ok, quoted, warn } from '../../check-result.js';

/** The worker compacts its journal at each start, and far below this size while it runs. */
const largeBytes = 500e6;

/** Runs of the journal; empty if there is none yet. */
export interface JournalFacts {
  runs: readonly Run[];
}

export const journal: Check<'worker.journal'> = {
  id: 'worker.journal',
  group: 'worker',
  title: 'journal',
  async run({ settings }) {
    const path = journalPath(settings.dirs.state);
    let size: number;
    try {
      ({ size } = await stat(path));
    } catch (thrown) {
      if (systemCode(thrown) !== 'ENOENT') throw thrown;
      return { ...ok(`none yet: no worker has used ${settings.dirs.state}`), fact: { runs: [] } };
    }
    const read = await readJournal(path);
    const runs = [...read.runs.values()];
    const damaged = read.damaged.length;
    const lost = read.headless ? ['Its beginning is missing: runs may be lost.'] : [];
    const alive = runs.filter(({ stage }) => stage !== 'finished').length;
    const evidence = `${path}: ${count(runs.length, 'run')}, ${alive} not finished, ${bytes(size)}`;
    const fact: JournalFacts = { runs };
    if (damaged > 0 || read.headless) {
      return {
        ...warn(
          [
            evidence,
            ...lost,
            ...(damaged > 0 ? [`${count(damaged, 'line')} cannot be read; their events are lost.`] : []),
          ],
          `df -h ${quoted(settings.dirs.state)}   # is the disk full or failing? The worker keeps a copy: ls ${quoted(path)}.damaged-*`,
        ),
        fact,
      };
    }
    if (size > largeBytes) {
      return { ...warn(evidence, 'Restart the worker to compact it.'), fact };
    }
    return { ...ok(evidence), fact };
  },
};
