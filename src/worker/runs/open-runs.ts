import type { Clock } from '../../base/clock.js';
import { createRunner, type RunCommand } from '../../base/command.js';
import type { Log } from '../../base/log.js';
import type { Settings } from '../../config/schema.js';
import type { CommandAnswer, RunView } from '../views/handle.js';
import type { RemoteWorker } from '../socket/remote-worker.js';
import { queryJobs } from '../../slurm/commands/squeue.js';
import { slurmEnvironment } from '../../slurm/environment.js';
import type { JobRow } from '../../slurm/job.js';
import { stateText } from '../../slurm/states.js';
import { orphanJobs } from '../actions/orphans.js';
import { findWorker } from '../socket/connect.js';
import type { LiveViews } from '../views/live-views.js';
import { openOffline } from './offline.js';
import type { OrphanView, RunsView } from './runs-view.js';
import { readOwner, viewJournal } from './view-journal.js';

/** Actions of `dsa-slurm runs`. */
export type RunsAction = 'cancel' | 'adopt' | 'retry' | 'forget';

/** What an action applies to. */
export interface RunsTargets {
  /** Ids of runs. */
  runs: readonly string[];
  /** Ids of Slurm jobs that belong to no run; see {@link RunsView.orphans}. */
  jobs: readonly string[];
}

/** Access to all runs: through the worker if it can be reached, otherwise through its journal. */
export interface Runs {
  /** @param options.asksSlurm whether Slurm is asked for orphans while no worker does */
  view(options?: { asksSlurm: boolean }): Promise<RunsView>;
  /** @throws DsaSlurmError `busy` if a worker that cannot be reached holds the state directory */
  act(kind: RunsAction, targets: RunsTargets): Promise<CommandAnswer>;
  close(): void;
}

export interface RunsOptions {
  settings: Settings;
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  log: Log;
}

/** Connects to the worker of the profile, or falls back to its journal. */
export async function openRuns(options: RunsOptions): Promise<Runs> {
  const { settings, clock } = options;
  const stateDirectory = settings.dirs.state;
  const found = await findWorker({ stateDirectory, clock });
  if (found.kind === 'attached') return liveRuns(found.worker, stateDirectory, clock);
  return {
    async view({ asksSlurm } = { asksSlurm: false }) {
      const view = await viewJournal(stateDirectory, clock);
      if (!asksSlurm) return view;
      if (settings.worker.executor === 'local')
        return { ...view, orphansUnknown: 'with the executor `local`, only a worker finds them' };
      return { ...view, ...(await askForOrphans(slurmCommands(options), view.runs, stateDirectory)) };
    },
    async act(kind, { runs, jobs }) {
      const offline = await openOffline(options);
      try {
        return await offline[kind](runs, jobs);
      } finally {
        await offline.close();
      }
    },
    close: () => undefined,
  };
}

function liveRuns(worker: RemoteWorker, stateDirectory: string, clock: Clock): Runs {
  return {
    async view() {
      const owner = await readOwner(stateDirectory);
      const past = await pastRuns(worker, clock);
      const { runs, jobs, link } = worker.snapshot();
      const pid = link.kind === 'socket' ? link.pid : process.pid;
      return {
        source: 'worker',
        worker: owner ?? { pid, host: '', since: '' },
        damagedLines: 0,
        runs: [...new Map([...past, ...runs].map((run) => [run.id, run])).values()],
        orphans: orphanJobs(jobs.rows, runs, stateDirectory).map(orphanView),
        orphansUnknown: jobs.at === null ? 'Slurm has not answered the worker yet' : null,
        async detail(id) {
          const answer = await worker.runDetail(id);
          return answer.ok ? answer.detail : null;
        },
      };
    },
    act: async (kind, { runs, jobs }) => worker.act({ kind, runs: [...runs], jobs: [...jobs] }),
    close: () => worker.close(),
  };
}

function orphanView({ id, state, key }: JobRow): OrphanView {
  return { jobId: id, state: stateText(state), key: key ?? '' };
}

/** Slurm's commands in a worker's environment. They are given up soon: somebody waits for the list. */
function slurmCommands({ settings, env }: RunsOptions): RunCommand {
  return createRunner({ env: slurmEnvironment(env, settings.slurm.environment), timeoutMs: 5_000 });
}

/** Asks Slurm itself for orphans, which a worker otherwise finds among the jobs that it polls. */
export async function askForOrphans(
  run: RunCommand,
  runs: readonly RunView[],
  stateDirectory: string,
): Promise<Pick<RunsView, 'orphans' | 'orphansUnknown'>> {
  const answer = await queryJobs(run, { kind: 'mine' });
  return answer.kind === 'silence'
    ? { orphans: [], orphansUnknown: answer.why }
    : { orphans: orphanJobs(answer.rows, runs, stateDirectory).map(orphanView), orphansUnknown: null };
}

/** Timeout for the list of finished runs, of which a snapshot has only the newest. */
const historyTimeoutMs = 10_000;

async function pastRuns(worker: RemoteWorker, clock: Clock): Promise<RunView[]> {
  const answered = new AbortController();
  const { promise, resolve } = Promise.withResolvers<LiveViews['history'] | null>();
  const stop = worker.watch('history', resolve);
  void clock.sleep(historyTimeoutMs, answered.signal).then(() => resolve(null));
  const view = await promise;
  answered.abort();
  stop();
  return view === null ? [] : view.rows.map(({ run }) => run);
}
