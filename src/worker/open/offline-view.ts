import { systemClock } from '../../base/clock.js';
import { openRunStore } from '../run-state/run-store.js';
import { createSwitchableHandle } from './switchable-handle.js';
import { createHandle } from './create-handle.js';
import { openCluster } from '../executor/open-cluster.js';
import type { WorkerHandle, WorkerSnapshot } from '../views/handle.js';
import type { Journal } from '../run-state/journal.js';
import { journalPath, readJournal } from '../run-state/read-journal.js';
import { readOnlyHandle } from './read-only-handle.js';
import { absence, type RemoteWorker } from '../socket/remote-worker.js';
import { readOwner } from '../runs/view-journal.js';
import { findWorker } from '../socket/connect.js';
import { createCommandLog } from '../views/worker-detail.js';
import type { WorkerOptions } from '../worker.js';

/** A view of the runs while no worker runs. */
export interface OfflineView {
  /** Rejects all actions until a worker starts. `link.kind` of its snapshots is `none` until a worker starts, to which it then attaches. */
  readonly handle: WorkerHandle;
  close(): Promise<void>;
}

/** Milliseconds between two attempts to find a worker. */
const findEveryMs = 2_000;

/**
 * Shows the runs from the journal, and jobs and nodes from Slurm. It takes no lock, accepts no tasks, does not connect to the
 * broker, writes nothing, and performs no actions.
 * @param options.readOnly whether a worker that starts rejects all actions, too
 * @throws DsaSlurmError `files` if the journal cannot be read
 */
export async function openOfflineView({
  profile,
  settings,
  env,
  log,
  readOnly,
  clock = systemClock,
}: WorkerOptions & { readOnly: boolean }): Promise<OfflineView> {
  const stateDirectory = settings.dirs.state;
  const over = new AbortController();
  const journal = unwritable(journalPath(stateDirectory));
  const { runs } = await readJournal(journal.state().path);
  const runStore = openRunStore(runs, journal, { clock, log, stopping: over.signal });
  const commands = createCommandLog(clock);
  const { executor, apptainer, site } = openCluster({
    settings,
    env,
    cancelSignal: null,
    onCommand: (record) => commands.note(record),
    clock,
    log,
  });
  const inner = createHandle({
    profile,
    settings,
    startedAt: clock.now(),
    runStore,
    journal,
    executor,
    apptainer,
    intake: { state: () => 'paused', drainedAt: () => null, request: () => undefined },
    broker: () => null,
    problem: () => null,
    requestCancel: async () => false,
    past: { retry: refuse, forget: refuse },
    adoptions: { orphansAmong: () => [], adopt: refuse },
    commands,
    standbys: () => [],
    site,
    log,
    clock,
  });
  executor.tracker.start();
  /** Why a running worker cannot be attached to. */
  let absent: string | null = null;
  const shown = createSwitchableHandle({
    ...readOnlyHandle(inner, readOnly ? undefined : 'No worker is running: nothing was done.'),
    snapshot: withoutWorker(inner, () => absent),
  });
  const finding = waitForWorker();

  /** Resolves once the handle is attached to a worker; null if closed before. */
  async function waitForWorker(): Promise<RemoteWorker | null> {
    for (;;) {
      await clock.sleep(findEveryMs, over.signal).catch(() => undefined);
      if (over.signal.aborted) return null;
      const found = await findWorker({ stateDirectory, readOnly, clock });
      if (found.kind === 'attached') {
        shown.switchTo(readOnly ? readOnlyHandle(found.worker) : found.worker);
        await stopPolling();
        return found.worker;
      }
      // the address may be left over from a killed worker; a running one holds the lock
      const runs = found.kind !== 'absent' && (await readOwner(stateDirectory)) !== null;
      absent = runs ? absence(found) : null;
    }
  }

  async function stopPolling(): Promise<void> {
    await executor.tracker.stop();
    inner.close();
  }

  return {
    handle: shown.handle,
    async close() {
      over.abort();
      const worker = await finding;
      if (worker === null) await stopPolling();
      else worker.close();
    },
  };
}

/** Wraps snapshots with the information that no worker is attached; an unchanged one is the same object. */
function withoutWorker(handle: WorkerHandle, absent: () => string | null): () => WorkerSnapshot {
  let from: WorkerSnapshot | null = null;
  let shown: WorkerSnapshot | null = null;
  let why: string | null = null;
  return () => {
    const snapshot = handle.snapshot();
    if (shown !== null && from === snapshot && why === absent()) return shown;
    from = snapshot;
    why = absent();
    shown = { ...snapshot, link: { kind: 'none', problem: why } };
    return shown;
  };
}

/** Never called, because the handle is read-only. */
async function refuse(): Promise<never> {
  throw new Error('there is no worker');
}

/** The journal of another process, which is never written here. */
function unwritable(path: string): Journal {
  return {
    append: refuse,
    appendSoon: () => undefined,
    compact: refuse,
    probe: refuse,
    bytes: () => 0,
    state: () => ({ path, bytes: 0, synced: null }),
    close: async () => undefined,
  };
}
