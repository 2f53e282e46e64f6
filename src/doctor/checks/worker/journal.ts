import { mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemCode } from '../../../base/errors.js';
import { silentLog } from '../../../base/log.js';
import { readJournal } from '../../../worker/journal.js';
import type { Run } from '../../../worker/run.js';
import type { Check } from '../../check.js';
import { bytes, count, ok, quoted, warn } from '../../finding.js';

/** Compaction begins the journal anew at each start, and far below this while the worker runs. */
const largeBytes = 500e6;

/** What the journal tells; empty where there is none yet. */
export interface JournalFacts {
  runs: readonly Run[];
}

/**
 * Folds the journal without touching it or its directory: it is read through a link, because its reader keeps a copy of
 * a damaged one beside it.
 */
async function fold(path: string): Promise<{ runs: Run[]; damaged: number }> {
  const aside = await mkdtemp(join(tmpdir(), 'dsa-slurm-doctor-'));
  try {
    const link = join(aside, 'journal.jsonl');
    await symlink(path, link);
    let damaged = 0;
    const log = silentLog();
    // the reader says each damaged line to its log, and nowhere else
    log.error = (facts: unknown) => {
      if (typeof facts === 'object' && facts !== null && 'line' in facts) damaged += 1;
    };
    const runs = await readJournal(link, log);
    return { runs: [...runs.values()], damaged };
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

export const journal: Check = {
  id: 'worker.journal',
  group: 'worker',
  title: 'journal',
  async run({ settings }) {
    const path = join(settings.dirs.state, 'journal.jsonl');
    let size: number;
    try {
      ({ size } = await stat(path));
    } catch (thrown) {
      if (systemCode(thrown) !== 'ENOENT') throw thrown;
      return { ...ok(`none yet: no worker has run with ${settings.dirs.state}`), fact: { runs: [] } };
    }
    const { runs, damaged } = await fold(path);
    const alive = runs.filter(({ stage }) => stage !== 'finished').length;
    const evidence = `${path}: ${count(runs.length, 'run')}, ${alive} not finished, ${bytes(size)}`;
    const fact: JournalFacts = { runs };
    if (damaged > 0) {
      return {
        ...warn(
          [evidence, `${count(damaged, 'line')} cannot be read; their events are lost.`],
          `df -h ${quoted(settings.dirs.state)}   # a full or failing disk? The worker keeps a copy: ls ${quoted(path)}.damaged-*`,
        ),
        fact,
      };
    }
    if (size > largeBytes) {
      return { ...warn(evidence, 'Restart the worker: it writes its journal anew at the start.'), fact };
    }
    return { ...ok(evidence), fact };
  },
};
