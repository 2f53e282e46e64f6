import { systemClock, type Clock } from '../../base/clock.js';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import type { WorkerSnapshot } from '../views/handle.js';
import { absence, attach, type RemoteWorker } from './remote-worker.js';
import { applyPatch } from './patch.js';
import { limits } from './protocol.js';
import { openConnection, type OpenedConnection } from './open-connection.js';

export interface ConnectOptions {
  /** Setting `dirs.state` of the worker's profile. */
  stateDirectory: string;
  /** Whether the worker rejects all actions on this connection and on those after it. */
  readOnly?: boolean;
  clock?: Clock;
  /** Milliseconds to wait for the worker's welcome. */
  patienceMs?: number;
  /** Called when the worker has been asked for its first snapshot, which it prepares from then on. */
  onAsked?: () => void;
}

/** The result of {@link findWorker}. */
export type FoundWorker = { kind: 'attached'; worker: RemoteWorker } | Absence;
export type Absence = Exclude<OpenedConnection, { kind: 'welcome' }>;

/**
 * Attaches to the worker of a state directory. The handle reconnects when the worker is restarted.
 * @throws DsaSlurmError `worker` if none runs, or if it cannot be reached from here
 */
export async function connectWorker(options: ConnectOptions): Promise<RemoteWorker> {
  const found = await findWorker(options);
  if (found.kind === 'attached') return found.worker;
  throw notAttached(found);
}

/** Like {@link connectWorker}, but returns the reason if there is no connection. Never throws. */
export async function findWorker({
  stateDirectory,
  readOnly = false,
  clock = systemClock,
  patienceMs = limits.helloMs,
  onAsked = () => undefined,
}: ConnectOptions): Promise<FoundWorker> {
  const options = { stateDirectory, readOnly, patienceMs };
  const reached = await openConnection({ ...options, onAsked });
  if (reached.kind !== 'welcome') return reached;
  const { connection } = reached;
  try {
    const first = await connection.messages.next();
    if (first.done === true || first.value.say !== 'snapshot') throw new Error('It sent no snapshot.');
    const snapshot = applyPatch(undefined, first.value.patch) as WorkerSnapshot;
    return { kind: 'attached', worker: attach(connection, snapshot, options, clock) };
  } catch (error) {
    connection.socket.destroy();
    const message = `The worker, process ${connection.pid}, cannot be reached: ${errorLine(error)}`;
    return { kind: 'refused', message };
  }
}

/** The error for a worker that could not be attached to. */
export function notAttached(found: Absence): DsaSlurmError {
  const next = {
    absent: 'Start one: `dsa-slurm worker`, or `dsa-slurm console` for one with a screen.',
    elsewhere: 'Log in to that host and run the command there.',
    refused: undefined,
  }[found.kind];
  return new DsaSlurmError('worker', absence(found), next === undefined ? {} : { next });
}
