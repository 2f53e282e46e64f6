import { createApptainer } from '../../apptainer/inspect.js';
import { systemClock } from '../../base/clock.js';
import { createRunner } from '../../base/command.js';
import { slurmEnvironment } from '../../slurm/environment.js';
import { readClusterInfo } from '../../slurm/site.js';
import { openRunStore } from '../run-state/run-store.js';
import { createSwitchableHandle } from './switchable-handle.js';
import { createHandle } from './create-handle.js';
import { createExecutor } from '../executor/create-executor.js';
import type { WorkerHandle, WorkerSnapshot } from '../views/handle.js';
import type { Journal } from '../run-state/journal.js';
import { journalPath, readJournal } from '../run-state/read-journal.js';
import { readOnlyHandle } from './read-only-handle.js';
import { absence, type RemoteWorker } from '../socket/remote-worker.js';
import { readOwner } from '../runs/view-journal.js';
import { findWorker } from '../socket/connect.js';
import { createCommandLog } from '../views/worker-detail.js';
import type { WorkerOptions } from '../worker.js';

/** What can be seen where no worker runs. */
export interface OfflineView {
  /** Read-only. `link.kind` of its snapshots is `none` until a worker runs; from then on it is attached to that one. */
  readonly handle: WorkerHandle;
  close(): Promise<void>;
}

/** Between two looks for a worker. */
const lookEveryMs = 2_000;

/**
 * Shows the runs as the last worker left them in the journal, and asks Slurm for jobs and nodes. It takes no lock and no
 * task, connects to no broker, writes nothing, and acts on nothing.
 * @throws DsaSlurmError `files` if the journal cannot be read
 */
export async function openOfflineView({
  profile,
  settings,
  env,
  log,
  clock = systemClock,
}: WorkerOptions): Promise<OfflineView> {
  const stateDirectory = settings.dirs.state;
  const over = new AbortController();
  const journal = unwritable(journalPath(stateDirectory));
  const { runs } = await readJournal(journal.state().path);
  const runStore = openRunStore(runs, journal, { clock, log, stopping: over.signal });
  const commands = createCommandLog(clock);
  const run = createRunner({
    env: slurmEnvironment(env, settings.slurm.environment),
    timeoutMs: settings.slurm.commandTimeoutSeconds * 1_000,
    concurrency: settings.worker.commandsAtOnce,
    ownSession: true,
    onCommand: (record) => commands.note(record),
  });
  const executor = createExecutor({
    settings,
    cancelSignal: null,
    run,
    env,
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
    apptainer: createApptainer({ run, command: settings.apptainer.command }),
    intake: { state: () => 'paused', drainedAt: () => null, request: () => undefined },
    broker: () => null,
    trouble: () => null,
    requestCancel: async () => false,
    past: { retry: refuse, forget: refuse },
    adoptions: { orphansAmong: () => [], adopt: refuse },
    commands,
    standbys: () => [],
    site: async () => readClusterInfo(run),
    log,
    clock,
  });
  executor.tracker.start();
  /** Why one that runs cannot be attached to. */
  let absent: string | null = null;
  const shown = createSwitchableHandle({
    ...readOnlyHandle(inner),
    snapshot: withoutWorker(inner, () => absent),
  });
  const looking = lookForWorker();

  /** Resolves with the worker that has come, once the handle is attached to it. */
  async function lookForWorker(): Promise<RemoteWorker | null> {
    for (;;) {
      await clock.sleep(lookEveryMs, over.signal).catch(() => undefined);
      if (over.signal.aborted) return null;
      const found = await findWorker({ stateDirectory, readOnly: true, clock });
      if (found.kind === 'attached') {
        shown.become(readOnlyHandle(found.worker));
        await stopAsking();
        return found.worker;
      }
      // an address may have been left by one that was killed; who runs has the lock
      const runs = found.kind !== 'absent' && (await readOwner(stateDirectory)) !== null;
      absent = runs ? absence(found) : null;
    }
  }

  async function stopAsking(): Promise<void> {
    await executor.tracker.stop();
    inner.close();
  }

  return {
    handle: shown.handle,
    async close() {
      over.abort();
      const worker = await looking;
      if (worker === null) await stopAsking();
      else worker.close();
    },
  };
}

/** Snapshots that say that there is no worker; the same one as long as nothing has changed. */
function withoutWorker(handle: WorkerHandle, absent: () => string | null): () => WorkerSnapshot {
  let from: WorkerSnapshot | null = null;
  let shown: WorkerSnapshot | null = null;
  let why: string | null = null;
  return () => {
    const snapshot = handle.snapshot();
    if (shown !== null && from === snapshot && why === absent()) return shown;
    from = snapshot;
    why = absent();
    shown = { ...snapshot, link: { kind: 'none', trouble: why } };
    return shown;
  };
}

/** No way leads here, because the handle is read-only. */
async function refuse(): Promise<never> {
  throw new Error('nothing is done where no worker runs');
}

/** The journal of somebody else, which is never written here. */
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
