import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import type { Task } from '../../celery/messages/task.js';
import type { Settings } from '../../config/schema.js';
import { tokenLifeMs } from '../../girder/api/access-token.js';
import type { GirderSetup } from '../../girder/api/client.js';
import type { GirderConnections } from '../../girder/api/connections.js';
import { createReportLimits } from '../../girder/jobs/report-limits.js';
import { createGirderSlurmLoader } from '../job-request/girder-slurm-loader.js';
import type { RunStore } from '../run-state/run-store.js';
import type { RunScheduler } from '../scheduler.js';
import type { WorkerServices } from '../worker-services.js';
import { createUserSearch } from './find-user.js';
import { girderAddresses } from './girder-addresses.js';
import { createGirderHealth, type GirderActivity } from './girder-health.js';
import { createGirderJobSearch } from './girder-job-search.js';
import { openGirderJob } from './open-girder-job.js';

/** Concurrent job updates per Girder; transfers are limited by `worker.staging`. */
const reportsAtOnce = 8;

/** How runs reach Girder: what the stages need of it, and its health. */
export interface GirderServices {
  stages: Pick<
    WorkerServices,
    'girderSetup' | 'transferPatience' | 'openGirderJob' | 'girderSlurm' | 'searchGirderJob' | 'findUser'
  >;
  /** How a task reaches Girder: shared connections, and the mapping of the addresses in its message. */
  setup: (task: Pick<Task, 'id' | 'headers'>) => GirderSetup;
  /** Forgets the problems of a run that has settled. */
  forget(runId: string): void;
  /** What is wrong with Girder, in one line; null if nothing is. */
  problem(): string | null;
}

export interface GirderServicesOptions {
  settings: Settings;
  connections: GirderConnections;
  runStore: RunStore;
  scheduler: Pick<RunScheduler, 'addGirderJob' | 'cancelSoon'>;
  /** Called when the health of a run's Girder changes: a run that only waits for Girder does not count as in flight. */
  onHealth: () => void;
  clock: Clock;
  log: Log;
}

export function createGirderServices({
  settings: { girder },
  connections,
  runStore,
  scheduler,
  onHealth,
  clock,
  log,
}: GirderServicesOptions): GirderServices {
  const limits = createReportLimits({ reportMs: girder.reportSeconds * 1_000, concurrency: reportsAtOnce });
  const health = createGirderHealth();
  const giveUpMs = girder.giveUpHours * 60 * 60_000;
  const shared = { connections, clock, log, girder };
  const girderSlurm = createGirderSlurmLoader(shared);

  function setup({ id, headers }: Pick<Task, 'id' | 'headers'>): GirderSetup {
    return { connections, apiUrlMap: girderAddresses(girder, headers), clock, log: log.child({ run: id }) };
  }

  function noteHealth(id: string, activity: GirderActivity, problem: string | null): void {
    health.set(id, activity, problem);
    if (runStore.get(id) !== undefined)
      runStore.recordVolatile(id, { type: 'girder-problem', problem: health.of(id) });
    onHealth();
  }

  return {
    setup,
    stages: {
      girderSlurm,
      searchGirderJob: createGirderJobSearch(shared),
      findUser: createUserSearch(shared),
      girderSetup: ({ task }) => setup(task),
      transferPatience: ({ id, acceptedAt }) => ({
        tokenExpiresAt: acceptedAt + tokenLifeMs,
        nonGirderMs: giveUpMs,
        onProblem: (problem) => noteHealth(id, 'transfer', problem),
      }),
      async openGirderJob(run) {
        const { id, acceptedAt } = run;
        const girderJob = await openGirderJob(run, runStore, {
          ...setup(run.task),
          limits,
          tokenExpiresAt: acceptedAt + tokenLifeMs,
          acceptedAt,
          finishPatienceMs: giveUpMs,
          onCancel: () => scheduler.cancelSoon(id, 'girder'),
          onGone() {
            if (girder.cancelDeleted) scheduler.cancelSoon(id, 'deletion');
          },
          onProblem: (problem) => noteHealth(id, 'report', problem),
        });
        scheduler.addGirderJob(id, girderJob);
        return girderJob;
      },
    },
    forget: (runId) => health.forget(runId),
    problem: () => health.problem() ?? girderSlurm.problem(),
  };
}
