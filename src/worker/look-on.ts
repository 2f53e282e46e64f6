import { createApptainer } from '../apptainer/inspect.js';
import { systemClock } from '../base/clock.js';
import { createRunner } from '../base/command.js';
import { slurmEnvironment } from '../slurm/environment.js';
import { readSite } from '../slurm/site.js';
import { openBook } from './book.js';
import { createHandle } from './create-handle.js';
import { createExecutor } from './executor/create-executor.js';
import type { WorkerHandle, WorkerSnapshot } from './handle.js';
import type { Journal } from './journal.js';
import { journalPath, readJournal } from './read-journal.js';
import { readOnlyHandle } from './read-only.js';
import { findWorker } from './socket/connect.js';
import { createCommandLog } from './watches/worker-detail.js';
import type { WorkerOptions } from './worker.js';

/** What can be seen where no worker runs. */
export interface Onlooker {
  /** Read-only; `link.kind` of its snapshots is `none`. */
  readonly handle: WorkerHandle;
  /** Aborts when a worker can be attached to. */
  readonly appeared: AbortSignal;
  close(): Promise<void>;
}

/** Between two looks for a worker. */
const lookEveryMs = 2_000;

/**
 * Shows the runs as the last worker left them in the journal, and asks Slurm for jobs and nodes. It takes no lock and no
 * task, connects to no broker, writes nothing, and acts on nothing.
 * @throws DsaSlurmError `files` if the journal cannot be read
 */
export async function lookOn({
  profile,
  settings,
  env,
  log,
  clock = systemClock,
}: WorkerOptions): Promise<Onlooker> {
  const stateDirectory = settings.dirs.state;
  const over = new AbortController();
  const appeared = new AbortController();
  const journal = unwritable(journalPath(stateDirectory));
  const { runs } = await readJournal(journal.state().path);
  const book = openBook(runs, journal, { clock, log, stopping: over.signal });
  const commands = createCommandLog(clock);
  const run = createRunner({
    env: slurmEnvironment(env),
    timeoutMs: settings.slurm.commandTimeoutSeconds * 1_000,
    concurrency: settings.worker.commandsAtOnce,
    ownSession: true,
    onCommand: (record) => commands.note(record),
  });
  const executor = createExecutor({
    settings,
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
    book,
    journal,
    executor,
    apptainer: createApptainer({ run, command: settings.apptainer.command }),
    intake: { state: () => 'paused', drainedAt: () => null, want: () => undefined },
    broker: () => null,
    trouble: () => null,
    requestCancel: async () => false,
    past: { retry: refuse, forget: refuse },
    commands,
    site: async () => readSite(run),
    log,
    clock,
  });
  executor.tracker.start();
  const looking = lookForWorker();

  async function lookForWorker(): Promise<void> {
    while (!over.signal.aborted && !appeared.signal.aborted) {
      await clock.sleep(lookEveryMs, over.signal).catch(() => undefined);
      if (over.signal.aborted) return;
      const found = await findWorker({ stateDirectory, readOnly: true, clock });
      if (found.kind !== 'attached') continue;
      found.worker.close();
      appeared.abort();
    }
  }

  return {
    handle: { ...readOnlyHandle(inner), snapshot: withoutWorker(inner) },
    appeared: appeared.signal,
    async close() {
      over.abort();
      await looking;
      await executor.tracker.stop();
      inner.close();
    },
  };
}

/** Snapshots that say that there is no worker; the same one as long as nothing has changed. */
function withoutWorker(handle: WorkerHandle): () => WorkerSnapshot {
  let from: WorkerSnapshot | null = null;
  let shown: WorkerSnapshot | null = null;
  return () => {
    const snapshot = handle.snapshot();
    if (shown !== null && from === snapshot) return shown;
    from = snapshot;
    shown = { ...snapshot, link: { kind: 'none' } };
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
