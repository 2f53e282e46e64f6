import type { Clock } from '../../base/clock.js';
import { DsaSlurmError } from '../../base/errors.js';
import type { Runs } from './open-runs.js';
import { findRun } from './select.js';

const pollMs = 1_000;

export interface FindRunLogOptions {
  /** Wait for a run that has no log yet. */
  follow: boolean;
  /** Called once if the log must be waited for. */
  onWait: (text: string) => void;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Finds the log of a run's Slurm job.
 * @param word beginning of its id, id of its Girder job, or Slurm job id
 * @throws DsaSlurmError `unknown` if there is no such run, or it has no log (with `follow`: and is finished)
 */
export async function findRunLog(
  runs: Pick<Runs, 'view'>,
  word: string,
  { follow, onWait, clock, signal }: FindRunLogOptions,
): Promise<string> {
  let isAnnounced = false;
  for (;;) {
    const view = await runs.view();
    const found = findRun(view.runs, word);
    const detail = found === null ? null : await view.detail(found.id);
    if (detail === null)
      throw new DsaSlurmError('unknown', `There is no run ${word}.`, { next: 'See: dsa-slurm runs list' });
    if (detail.logFile !== null) return detail.logFile;
    const { id, stage } = detail.run;
    if (!follow || stage === 'finished' || signal.aborted) {
      const yet = stage === 'finished' ? '' : ' yet';
      throw new DsaSlurmError('unknown', `Run ${id} has no log${yet}: it is ${stage}.`, {
        next: `See: dsa-slurm runs show ${id}`,
      });
    }
    if (!isAnnounced) onWait(`run ${id} is ${stage}; waiting for its log`);
    isAnnounced = true;
    await clock.sleep(pollMs, signal);
  }
}
