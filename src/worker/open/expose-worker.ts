import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import type { Releasers } from '../../base/releasers.js';
import type { Settings } from '../../config/schema.js';
import { sendNotices } from '../notices/notices.js';
import { noticeTargets } from '../notices/targets.js';
import type { Lease } from '../run-state/lease.js';
import type { RunStore } from '../run-state/run-store.js';
import { keepStatusFile, statusOf } from '../run-state/status-file.js';
import { statusProblems, type StatusProblem } from '../runs/service-status.js';
import { listenForClients } from '../socket/listen.js';
import type { WorkerHandle } from '../views/handle.js';
import type { StandbyWatch } from './standby.js';

export interface ExposeOptions {
  profile: string;
  settings: Settings;
  /** The environment of the worker. */
  env: Readonly<Record<string, string | undefined>>;
  handle: WorkerHandle;
  runStore: RunStore;
  standbys: Pick<StandbyWatch, 'list'>;
  lease: Lease;
  releasers: Releasers;
  clock: Clock;
  log: Log;
  stopping: AbortSignal;
}

/** Shows a running worker to others: by its status file, notices and the socket. */
export async function exposeWorker(options: ExposeOptions): Promise<void> {
  const { settings, handle, standbys, lease, releasers, clock, log } = options;
  const status = () => statusOf(handle.snapshot(), clock.now(), standbys.list());
  releasers.add('the status file', keepStatusFile(settings.dirs.state, status, log, lease));
  startNotices(options);
  releasers.add('the socket', await listenForClients(settings.dirs.state, handle, log));
}

function startNotices(options: ExposeOptions): void {
  const { settings, env, handle, releasers, clock } = options;
  const targets = noticeTargets(settings.notices, env);
  if (targets.length === 0) return;
  const usesSlurm = settings.worker.executor === 'slurm';
  const { pollSeconds } = settings.slurm;

  /** Leaves out a pause, which the operator or the in-flight limit caused; a blocked intake has a problem of its own. */
  function problems(): StatusProblem[] {
    const status = statusOf(handle.snapshot(), clock.now(), []);
    return statusProblems(status, { now: clock.now(), pollSeconds, usesSlurm }).filter(
      ({ about }) => about !== 'rabbitmq' || status.broker.state !== 'paused',
    );
  }

  releasers.add(
    'the notices',
    sendNotices({
      ...options,
      worker: settings.worker.name,
      on: settings.notices.on,
      intervalMs: settings.notices.intervalSeconds * 1_000,
      targets,
      problems,
    }),
  );
}
