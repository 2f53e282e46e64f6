import { once } from 'node:events';

import { DsaSlurmError } from '../base/errors.js';
import { announceStandby } from './open/standby.js';
import { createWorker, type Worker, type WorkerOptions } from './worker.js';

export interface ServiceOptions extends Omit<WorkerOptions, 'standby' | 'onLost'> {
  /** Ends the service. */
  signal: AbortSignal;
  /** Wait while another worker has the state directory, and take over from it. */
  standby?: boolean;
  /** Ends the process at once. Called when another worker has taken over: nothing of this one may reach anybody any more. */
  exit: (code: number) => never;
}

/**
 * The worker as a service in the foreground: works until `signal` aborts or remote control ends it. Slurm jobs go on without it, and the next
 * start takes their runs up again.
 * @returns the exit code.
 */
export async function runWorkerService({
  standby = false,
  exit,
  ...options
}: ServiceOptions): Promise<number> {
  const { log, profile, signal } = options;
  const onLost = (reason: string): void => {
    log.fatal({ profile, reason }, 'another worker has taken over; this one ends');
    exit(1);
  };
  let worker: Worker;
  if (standby) {
    const waited = await waitForTurn({ ...options, onLost });
    if (waited === null) return 0;
    worker = waited;
  } else worker = await createWorker({ ...options, onLost });
  try {
    log.info({ profile, runs: worker.handle.snapshot().health.inFlight }, 'the worker starts');
    await worker.start();
    const over = AbortSignal.any([signal, worker.failed, worker.shutdown]);
    if (!over.aborted) await once(over, 'abort');
    if (worker.failed.aborted) {
      throw new DsaSlurmError('worker', `The worker cannot go on: ${String(worker.failed.reason)}.`, {
        next: 'Another worker may have taken over its state directory.',
      });
    }
    const runs = worker.handle.snapshot().health.inFlight;
    log.info({ signal: String(over.reason), runs }, 'the worker stops; its jobs go on');
    return 0;
  } finally {
    await worker.stop();
  }
}

/** Stands by until this is the worker of the profile. Null if it is stopped before. */
async function waitForTurn(options: WorkerOptions & { signal: AbortSignal }): Promise<Worker | null> {
  const { settings, log, profile, signal } = options;
  if (settings.worker.executor === 'local') {
    throw new DsaSlurmError(
      'config',
      'A worker whose executor is `local` cannot have a standby: its jobs are processes of its own host.',
      {
        next: 'Start it without --standby, or set worker.executor to slurm.',
      },
    );
  }
  let withdraw: (() => Promise<void>) | null = null;
  try {
    const worker = await createWorker({
      ...options,
      standby: {
        signal,
        onWaiting(owner) {
          log.info({ profile, owner }, 'standing by: another worker has the state directory');
          withdraw ??= announceStandby(settings.dirs.state, log);
        },
      },
    });
    if (withdraw !== null) log.warn({ profile }, 'taking over from the other worker');
    return worker;
  } catch (error) {
    if (!signal.aborted) throw error;
    log.info({ profile, signal: String(signal.reason) }, 'the standby worker stops');
    return null;
  } finally {
    await (withdraw as (() => Promise<void>) | null)?.();
  }
}
