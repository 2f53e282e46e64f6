import { DsaSlurmError } from '../base/errors.js';
import { systemClock } from '../base/clock.js';
import type { WorkerHandle } from './handle.js';
import { readOnlyHandle } from './read-only.js';
import type { AttachedWorker } from './socket/attached.js';
import { findWorker, notAttached, type Found } from './socket/connect.js';
import { createWorker, type Worker, type WorkerOptions } from './worker.js';

/** The worker that a screen looks at. */
export type OpenedWorker =
  | { kind: 'attached'; handle: AttachedWorker }
  /** Inside this process; whoever opened it starts and stops it. */
  | { kind: 'embedded'; handle: WorkerHandle; worker: Worker };

export interface OpenOptions extends WorkerOptions {
  /** Nothing that is done through the handle acts on jobs or on the worker. */
  readOnly: boolean;
}

/** A worker that holds the lock without listening is starting or stopping: so often it is looked for again … */
const looks = 25;
/** … so many milliseconds apart. */
const lookEveryMs = 200;

/**
 * Attaches to the worker of the profile where one runs and can be reached, and makes one in this process where none runs.
 * @throws DsaSlurmError `worker` where one runs that cannot be reached, and as {@link createWorker}
 */
export async function attachOrEmbed(options: OpenOptions): Promise<OpenedWorker> {
  const { settings, readOnly, clock = systemClock } = options;
  const find = async (): Promise<Found> =>
    findWorker({ stateDirectory: settings.dirs.state, readOnly, clock });
  let found = await find();
  for (let look = 0; ; look++) {
    if (found.kind === 'attached') return { kind: 'attached', handle: found.worker };
    if (found.kind === 'refused') throw notAttached(found);
    try {
      const worker = await createWorker(options);
      const handle = readOnly ? readOnlyHandle(worker.handle) : worker.handle;
      return { kind: 'embedded', handle, worker };
    } catch (error) {
      const isHeld = error instanceof DsaSlurmError && error.code === 'worker';
      if (isHeld && found.kind === 'elsewhere') throw notAttached(found);
      if (!isHeld || look >= looks) throw error;
    }
    await clock.sleep(lookEveryMs);
    found = await find();
  }
}
