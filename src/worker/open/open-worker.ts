import { DsaSlurmError } from '../../base/errors.js';
import { systemClock } from '../../base/clock.js';
import type { WorkerHandle } from '../views/handle.js';
import type { ProcessIdentity } from '../run-state/process-identity.js';
import { readOwner } from '../runs/view-journal.js';
import { findWorker, notAttached, type Absence, type FoundWorker } from '../socket/connect.js';
import type { Worker, WorkerOptions } from '../worker.js';

/** The worker that a screen looks at. */
export type OpenedWorker =
  | { kind: 'attached'; handle: WorkerHandle; close: () => Promise<void> }
  /** Inside this process; whoever opened it starts and stops it. */
  | { kind: 'embedded'; handle: WorkerHandle; worker: Worker }
  /** None runs, and none is started for somebody who only looks; the one that comes is attached to. */
  | { kind: 'none'; handle: WorkerHandle; close: () => Promise<void> };

export interface OpenOptions extends WorkerOptions {
  /** Nothing that is done through the handle acts on jobs or on the worker. */
  readOnly: boolean;
}

/** A worker that holds the lock without listening is starting or stopping: so often it is looked for again … */
const looks = 25;
/** … so many milliseconds apart. */
const lookEveryMs = 200;

/**
 * Attaches to the worker of the profile where one runs and can be reached. Where none runs it makes one in this process, or,
 * if it is read-only, looks on without one: whoever looks only shall take no tasks.
 * @throws DsaSlurmError `worker` where one runs that cannot be reached, or that alone knows its jobs, and as {@link createWorker}
 */
export async function openWorker(options: OpenOptions): Promise<OpenedWorker> {
  const { settings, readOnly, clock = systemClock } = options;
  const find = async (): Promise<FoundWorker> =>
    findWorker({ stateDirectory: settings.dirs.state, readOnly, clock });
  let found = await find();
  for (let look = 0; ; look++) {
    if (found.kind === 'attached') {
      const { worker } = found;
      return { kind: 'attached', handle: worker, close: async () => worker.close() };
    }
    if (found.kind === 'refused') throw notAttached(found);
    if (readOnly) {
      const owner = await readOwner(settings.dirs.state);
      if (owner === null) return openOnlooker(options, found);
      if (found.kind === 'elsewhere' || look >= looks) throw unreachable(found, owner);
      await clock.sleep(lookEveryMs);
      found = await find();
      continue;
    }
    try {
      // most of the program, which is not loaded for one that attaches
      const { createWorker } = await import('../worker.js');
      const worker = await createWorker(options);
      return { kind: 'embedded', handle: worker.handle, worker };
    } catch (error) {
      const isHeld = error instanceof DsaSlurmError && error.code === 'worker';
      if (isHeld && found.kind === 'elsewhere') throw notAttached(found);
      if (!isHeld || look >= looks) throw error;
    }
    await clock.sleep(lookEveryMs);
    found = await find();
  }
}

async function openOnlooker(options: OpenOptions, found: Absence): Promise<OpenedWorker> {
  // the jobs of this host are known to its worker alone
  if (options.settings.worker.executor === 'local') throw notAttached(found);
  const { openOfflineView: lookOn } = await import('./offline-view.js');
  return { kind: 'none', ...(await lookOn(options)) };
}

/** A worker that has the state directory and does not listen. */
function unreachable(found: Absence, { pid, host }: ProcessIdentity): DsaSlurmError {
  if (found.kind === 'elsewhere') return notAttached(found);
  return new DsaSlurmError(
    'worker',
    `The worker of this profile, process ${pid} on ${host}, does not listen.`,
    {
      next: 'It may be starting or stopping: try again in a moment, or log in there and call this there.',
    },
  );
}
