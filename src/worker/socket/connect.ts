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
  /** The worker refuses whatever acts on jobs or on itself, for as long as this connection and the ones after it last. */
  readOnly?: boolean;
  clock?: Clock;
  /** How long a worker may take to say hello. */
  patienceMs?: number;
}

/** What comes of looking for a worker to attach to; see {@link OpenedConnection} for why there may be none. */
export type FoundWorker = { kind: 'attached'; worker: RemoteWorker } | Absence;
export type Absence = Exclude<OpenedConnection, { kind: 'welcome' }>;

/**
 * Attaches to the worker of a state directory. When it is started anew, the handle finds the new one by itself.
 * @throws DsaSlurmError `worker` if there is none, or none that can be reached from here
 */
export async function connectWorker(options: ConnectOptions): Promise<RemoteWorker> {
  const found = await findWorker(options);
  if (found.kind === 'attached') return found.worker;
  throw notAttached(found);
}

/** As {@link connectWorker}, for whoever has something else to do where there is none. Never throws. */
export async function findWorker({
  stateDirectory,
  readOnly = false,
  clock = systemClock,
  patienceMs = limits.helloMs,
}: ConnectOptions): Promise<FoundWorker> {
  const options = { stateDirectory, readOnly, patienceMs };
  const reached = await openConnection(options);
  if (reached.kind !== 'welcome') return reached;
  const { connection } = reached;
  try {
    const first = await connection.messages.next();
    if (first.done === true || first.value.say !== 'snapshot') throw new Error('It shows nothing.');
    const snapshot = applyPatch(undefined, first.value.patch) as WorkerSnapshot;
    return { kind: 'attached', worker: attach(connection, snapshot, options, clock) };
  } catch (error) {
    connection.socket.destroy();
    const said = `The worker, process ${connection.pid}, cannot be asked: ${errorLine(error)}`;
    return { kind: 'refused', said };
  }
}

/** Why nobody is attached, as an error. */
export function notAttached(found: Absence): DsaSlurmError {
  const next = {
    absent: 'Start one: `dsa-slurm worker`, or `dsa-slurm console` for one with a screen.',
    elsewhere: 'Log in there and call this there.',
    refused: undefined,
  }[found.kind];
  return new DsaSlurmError('worker', absence(found), next === undefined ? {} : { next });
}
