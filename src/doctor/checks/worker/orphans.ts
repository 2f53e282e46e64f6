import { queryJobs } from '../../../slurm/commands/squeue.js';
import { orphanJobs, orphanSentence } from '../../../worker/actions/orphans.js';
import { journalPath, readJournal } from '../../../worker/run-state/read-journal.js';
import type { Check } from '../../check.js';
import { ok, warn } from '../../check-result.js';

export const orphans: Check = {
  id: 'worker.orphans',
  group: 'worker',
  title: 'Slurm jobs without a run',
  needs: ['slurm.controller', 'worker.journal'],
  async run({ run, settings, signal }) {
    const answer = await queryJobs(run, { kind: 'mine' }, { signal });
    if (answer.kind === 'silence') return warn(answer.why, 'squeue --me');
    // read after squeue: a run is in the journal before its job is submitted
    const { runs } = await readJournal(journalPath(settings.dirs.state));
    const ids = orphanJobs(answer.rows, runs.values(), settings.dirs.state).map(({ id }) => id);
    if (ids.length === 0) return ok('every job of this worker belongs to a run');
    return warn(
      orphanSentence(ids),
      `dsa-slurm runs adopt ${ids.join(' ')}   # or, if their message is lost: dsa-slurm runs cancel`,
    );
  },
};
