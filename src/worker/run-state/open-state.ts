import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import type { Releasers } from '../../base/releasers.js';
import type { Settings } from '../../config/schema.js';
import { openGirderConnections, type GirderConnections } from '../../girder/api/connections.js';
import { openAuditLog, type AuditLog } from './audit-log.js';
import { openJournal, type Journal } from './journal.js';
import type { Lease } from './lease.js';
import { openRetryMessages, type RetryMessages } from './retry-messages.js';
import { openRunStore, type RunStore } from './run-store.js';
import { lockState, type LockOptions } from './state-lock.js';

/** The state directory, locked by this process. */
export interface OpenedState {
  lease: Lease;
  connections: GirderConnections;
  journal: Journal;
  runStore: RunStore;
  messages: RetryMessages;
  audit: AuditLog;
}

export interface StateOptions extends Pick<LockOptions, 'onLost' | 'onProblem' | 'standby'> {
  settings: Settings;
  /** What opens it, for the audit log. */
  by: 'worker' | 'runs';
  /** Releases what was opened; on an error the caller runs them. */
  releasers: Releasers;
  /** Aborts when this process stops. */
  stopping: AbortSignal;
  clock: Clock;
  log: Log;
}

/**
 * Locks the state directory and reads the runs from its journal.
 * @throws DsaSlurmError `worker` with the process that holds the lock; `files` if the journal cannot be read or written
 */
export async function openState({
  settings,
  by,
  releasers,
  stopping,
  clock,
  log,
  ...lock
}: StateOptions): Promise<OpenedState> {
  const { state } = settings.dirs;
  const { leaseSeconds, retryHours, retryMegabytes } = settings.worker;
  const lease = await lockState(state, { ...lock, leaseSeconds, stopping, log });
  releasers.add('the lock', async () => lease.release());
  // only after the lock: a standby may wait for weeks, and must not use what it read before
  const connections = await openGirderConnections(settings.girder, lease.hold);
  releasers.add('the connections to Girder', async () => connections.close());
  const { journal, runs } = await openJournal(state, log, lease);
  releasers.add('the journal', async () => journal.close());
  const messages = await openRetryMessages(state, {
    maxMs: retryHours * 60 * 60_000,
    maxBytes: retryMegabytes * 1_000_000,
    now: () => clock.now(),
    log,
  });
  const audit = openAuditLog(state, { by, clock, log });
  releasers.add('the audit log', async () => audit.close());
  const runStore = openRunStore(runs, journal, { clock, log, stopping });
  return { lease, connections, journal, runStore, messages, audit };
}
