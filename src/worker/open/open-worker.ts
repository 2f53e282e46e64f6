import { DsaSlurmError } from '../../base/errors.js';
import { systemClock } from '../../base/clock.js';
import type { WorkerHandle } from '../views/handle.js';
import type { ProcessIdentity } from '../run-state/process-identity.js';
import { findWorker, notAttached, type Absence, type FoundWorker } from '../socket/connect.js';
import type { Worker, WorkerOptions } from '../worker.js';

/** The worker of a screen. */
export type OpenedWorker =
  | { kind: 'attached'; handle: WorkerHandle; close: () => Promise<void> }
  /** In this process; the caller starts and stops it. */
  | { kind: 'embedded'; handle: WorkerHandle; worker: Worker }
  /** No worker runs, and none is to be started here. The handle attaches to one that starts. */
  | { kind: 'none'; handle: WorkerHandle; close: () => Promise<void> };

export interface OpenOptions extends WorkerOptions {
  /** Whether all actions through the handle are rejected. */
  readOnly: boolean;
  /**
   * Asked once if no worker runs: `inside` creates one in this process, `started` says that one has been started elsewhere, and
   * `none` opens a view without a worker. Default: `inside`. Not asked if read-only.
   */
  whenNoneRuns?: () => Promise<'inside' | 'started' | 'none'>;
  /** Called when a running worker has been asked for its first snapshot, which it prepares from then on. */
  onAsked?: () => void;
}

/** Loaded only where no worker answers, with all that reads a journal. */
async function readOwner(stateDirectory: string): Promise<ProcessIdentity | null> {
  const { readOwner: read } = await import('../runs/view-journal.js');
  return read(stateDirectory);
}

/** A worker that holds the lock without listening is starting or stopping: number of further attempts … */
const maxRetries = 25;
/** … and milliseconds between them. */
const retryEveryMs = 200;

/**
 * Attaches to the running worker of the profile. If none runs, `whenNoneRuns` decides; a read-only screen opens a view without a
 * worker, because it must not accept tasks.
 * @throws DsaSlurmError `worker` if a worker runs that cannot be reached, or if a view without one is not possible (executor `local`);
 *   and as {@link createWorker}
 */
export async function openWorker(options: OpenOptions): Promise<OpenedWorker> {
  const { settings, readOnly, whenNoneRuns, onAsked = () => undefined, clock = systemClock } = options;
  const find = async (): Promise<FoundWorker> =>
    findWorker({ stateDirectory: settings.dirs.state, readOnly, onAsked, clock });
  let found = await find();
  let isAsked = whenNoneRuns === undefined;
  for (let retry = 0; ; retry++) {
    if (found.kind === 'attached') {
      const { worker } = found;
      return { kind: 'attached', handle: worker, close: async () => worker.close() };
    }
    if (found.kind === 'refused') throw notAttached(found);
    if (readOnly) {
      const owner = await readOwner(settings.dirs.state);
      if (owner === null) return openWithoutWorker(options, found);
      if (found.kind === 'elsewhere' || retry >= maxRetries) throw unreachable(found, owner);
      await clock.sleep(retryEveryMs);
      found = await find();
      continue;
    }
    if (!isAsked && (await readOwner(settings.dirs.state)) === null) {
      isAsked = true;
      const choice = (await whenNoneRuns?.()) ?? 'inside';
      if (choice === 'none') return openWithoutWorker(options, found);
      if (choice === 'started') {
        found = await find();
        continue;
      }
    }
    try {
      // most of the program, loaded only when needed
      const { createWorker } = await import('../worker.js');
      const worker = await createWorker(options);
      return { kind: 'embedded', handle: worker.handle, worker };
    } catch (error) {
      const isHeld = error instanceof DsaSlurmError && error.code === 'worker';
      if (isHeld && found.kind === 'elsewhere') throw notAttached(found);
      if (!isHeld || retry >= maxRetries) throw error;
    }
    await clock.sleep(retryEveryMs);
    found = await find();
  }
}

async function openWithoutWorker(options: OpenOptions, found: Absence): Promise<OpenedWorker> {
  // only a worker knows the jobs of its host
  if (options.settings.worker.executor === 'local') throw notAttached(found);
  const { openOfflineView } = await import('./offline-view.js');
  return { kind: 'none', ...(await openOfflineView(options)) };
}

/** The error for a worker that holds the state directory and does not listen. */
function unreachable(found: Absence, { pid, host }: ProcessIdentity): DsaSlurmError {
  if (found.kind === 'elsewhere') return notAttached(found);
  return new DsaSlurmError(
    'worker',
    `The worker of this profile, process ${pid} on ${host}, does not listen.`,
    {
      next: 'It may be starting or stopping: try again in a moment, or run the command on that host.',
    },
  );
}
