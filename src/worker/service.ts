import { once } from 'node:events';

import { systemClock } from '../base/clock.js';
import { createRunner } from '../base/command.js';
import { DsaSlurmError } from '../base/errors.js';
import { announceStandby } from './open/standby.js';
import { connectServiceManager, serviceStatus, type ServiceManager } from './service-manager.js';
import { createWorker, type Worker, type WorkerOptions } from './worker.js';

export interface ServiceOptions extends Omit<WorkerOptions, 'standby' | 'onLost'> {
  /** Ends the service. */
  signal: AbortSignal;
  /** Wait while another worker owns the state directory, and take over from it. */
  standby?: boolean;
  /** Ends the process at once. Called when another worker has taken over: this one must not act any more. */
  exit: (code: number) => never;
}

/**
 * Runs the worker in the foreground until `signal` aborts or remote control shuts it down. Slurm jobs go on without it,
 * and the next start resumes their runs.
 * @returns the exit code.
 */
export async function runWorkerService({
  standby = false,
  exit,
  ...options
}: ServiceOptions): Promise<number> {
  const { log, profile, signal } = options;
  const onLost = (reason: string): void => {
    log.fatal({ profile, reason }, 'another worker has taken over; this one exits');
    exit(1);
  };
  const { env, clock = systemClock } = options;
  const manager = connectServiceManager({ env, run: createRunner({ env }), log, clock });
  let worker: Worker;
  if (standby) {
    const standbyWorker = await waitAsStandby({ ...options, onLost }, manager);
    if (standbyWorker === null) return 0;
    worker = standbyWorker;
  } else worker = await createWorker({ ...options, onLost });
  const status = (): string => serviceStatus(worker.handle.snapshot());
  const over = new AbortController();
  try {
    log.info({ profile, runs: worker.handle.snapshot().health.inFlight }, 'the worker starts');
    await worker.start();
    await manager.ready(status());
    manager.watch(status, over.signal);
    const ended = AbortSignal.any([signal, worker.failed, worker.shutdown]);
    if (!ended.aborted) await once(ended, 'abort');
    if (worker.failed.aborted) {
      throw new DsaSlurmError('worker', `The worker cannot continue: ${String(worker.failed.reason)}.`, {
        next: 'Another worker may have taken over its state directory.',
      });
    }
    const runs = worker.handle.snapshot().health.inFlight;
    log.info({ signal: String(ended.reason), runs }, 'stopping the worker; its jobs go on');
    await manager.stopping(`stopping; ${runs} runs continue in Slurm`);
    return 0;
  } finally {
    // the watchdog is reset until the end: a hung file system may delay it
    await worker.stop();
    over.abort();
  }
}

/** Waits until this worker owns the state directory. Null if it is stopped first. */
async function waitAsStandby(
  options: WorkerOptions & { signal: AbortSignal },
  manager: ServiceManager,
): Promise<Worker | null> {
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
  const over = new AbortController();
  let status: string | null = null;
  try {
    const worker = await createWorker({
      ...options,
      standby: {
        signal,
        onWaiting(owner) {
          log.info({ profile, owner }, 'standing by: another worker owns the state directory');
          withdraw ??= announceStandby(settings.dirs.state, log);
          const isFirst = status === null;
          status = `standing by for the worker on ${owner?.host ?? 'another host'}`;
          // a standby that waits for weeks has started as far as systemd is concerned
          void manager.ready(status);
          if (isFirst) manager.watch(() => status ?? '', over.signal);
        },
      },
    });
    if (withdraw !== null) log.warn({ profile }, 'taking over from the other worker');
    return worker;
  } catch (error) {
    if (!signal.aborted) throw error;
    log.info({ profile, signal: String(signal.reason) }, 'stopping the standby worker');
    return null;
  } finally {
    over.abort();
    await (withdraw as (() => Promise<void>) | null)?.();
  }
}
