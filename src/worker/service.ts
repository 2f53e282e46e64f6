import { once } from 'node:events';

import { DsaSlurmError } from '../base/errors.js';
import { createWorker, type WorkerOptions } from './worker.js';

/**
 * The worker as a service in the foreground: works until `signal` aborts or remote control ends it. Slurm jobs go on without it, and the next
 * start takes their runs up again.
 * @returns the exit code.
 */
export async function runWorkerService(options: WorkerOptions & { signal: AbortSignal }): Promise<number> {
  const { log, profile, signal } = options;
  const worker = await createWorker(options);
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
