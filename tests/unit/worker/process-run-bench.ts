import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import PQueue from 'p-queue';

import type { Clock } from '../../../src/base/clock.js';
import type { CommandResult } from '../../../src/base/command.js';
import { silentLog } from '../../../src/base/log.js';
import { createKeyedLimiter } from '../../../src/base/keyed-limiter.js';
import type { Task, TaskResult } from '../../../src/celery/messages/task.js';
import { loadSettings } from '../../../src/config/load.js';
import { createGirderConnections } from '../../../src/girder/api/connections.js';
import { silentGirderJob, type GirderJob } from '../../../src/girder/jobs/job.js';
import { openRunStore, type NewRunEvent } from '../../../src/worker/run-state/run-store.js';
import { processRun } from '../../../src/worker/stages/process-run.js';
import { createSlurmExecutor } from '../../../src/worker/executor/slurm.js';
import { createRunScheduler } from '../../../src/worker/scheduler.js';
import type { Journal } from '../../../src/worker/run-state/journal.js';
import type { CancelSource, Run, RunEvent } from '../../../src/worker/run-state/run.js';
import { createPreparation } from '../../../src/worker/stages/preparation.js';
import { createSubmitGate } from '../../../src/worker/stages/submit-gate.js';
import type { WorkerServices } from '../../../src/worker/worker-services.js';
import { someTask } from '../../support/tasks.js';
import { fixtureTask } from '../girder/fixtures.js';
import type { JobRecords } from '../../../src/slurm/job-records.js';
import { fakeRun, type Call } from '../slurm/fake-run.js';

export interface ProcessRunBenchOptions {
  /** Answers Slurm commands. */
  slurm: (call: Call) => CommandResult | Promise<CommandResult>;
  /** Events that are in the journal already. */
  events?: (dir: string) => NewRunEvent[];
  girderJob?: Partial<GirderJob>;
  /** Records of the batch script; the executor's own ones have no directory here. */
  records?: JobRecords;
  task?: Partial<Task>;
  /** The run as another worker left it, instead of `task` and `events`. */
  run?: Run;
  /** Called for each event before it is durable. */
  onEvent?: (event: RunEvent) => void;
}

export interface ProcessRunBench {
  dir: string;
  calls: Call[];
  results: TaskResult[];
  /** Names of the tasks that were published. */
  published: unknown[];
  run(): Run | undefined;
  cancel(by: CancelSource): Promise<void>;
  /** Cancels the Slurm job as the operator's `x` does, before anything is journaled. */
  cancelJob(jobId: string): Promise<unknown>;
  /** Processes the run until it settles. */
  finished(): Promise<Run | undefined>;
  close(): Promise<void>;
}

/** A clock whose sleeps advance it at once. */
function fastClock(): Clock {
  let now = Date.UTC(2026, 10, 23);
  return {
    now: () => now,
    monotonic: () => now,
    async sleep(ms, signal) {
      if (signal?.aborted === true) return;
      now += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/** One run on a scripted Slurm, as a restarted worker finds it. */
export async function openProcessRunBench({
  slurm,
  events = () => [],
  girderJob = {},
  records,
  task: over = {},
  run: left,
  onEvent = () => undefined,
}: ProcessRunBenchOptions): Promise<ProcessRunBench> {
  const dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-process-run-'));
  const clock = fastClock();
  const log = silentLog();
  const stop = new AbortController();
  const { run: command, calls } = fakeRun(slurm);
  const memory: Journal = {
    append: async (_, event) => onEvent(event),
    appendSoon: () => undefined,
    compact: async () => undefined,
    probe: async () => undefined,
    bytes: () => 0,
    state: () => ({ path: '/journal', bytes: 0, synced: null }),
    close: async () => undefined,
  };
  const known = new Map(left === undefined ? [] : [[left.id, left]]);
  const runStore = openRunStore(known, memory, { clock, log, stopping: stop.signal });
  const { settings } = loadSettings({
    profile: 'default',
    configDir: dir,
    env: {},
    flags: { 'dirs.tmp': dir, 'dirs.logs': dir, 'dirs.images': dir, 'dirs.state': dir },
  });
  const slurmExecutor = createSlurmExecutor({
    run: command,
    logsDirectory: null,
    cancelSignal: 'QUIT',
    settings: settings.slurm,
    clock,
    log,
    // reading /proc takes real time, and the clock of the bench runs on meanwhile
    endLeftovers: async () => [],
  });
  const executor = records === undefined ? slurmExecutor : { ...slurmExecutor, records };
  const connections = createGirderConnections();
  const { name, headers, body } = fixtureTask('g3.docker_run.volumes.json');
  // nothing to upload: the end of the job is the outcome
  const task = someTask({ name, headers: { ...headers, girder_result_hooks: [] }, body, ...over });
  const id = left?.id ?? task.id;
  if (left === undefined) await runStore.accept({ task, refusal: null });
  for (const event of events(dir)) await runStore.record(id, event);
  const results: TaskResult[] = [];
  const published: unknown[] = [];

  const scheduler = createRunScheduler({
    runStore,
    processRun: async (id, signal) => processRun(id, services, signal),
    onSettled: () => undefined,
    stopping: stop.signal,
    log,
  });
  const services: WorkerServices = {
    settings,
    runStore,
    clock,
    log,
    executor,
    searchGirderJob: async () => null,
    findUser: async () => null,
    apptainer: {
      version: async () => null,
      inspect: async () => Promise.reject(new Error('a run examines its image')),
      probe: async () => ({
        labels: {},
        workingDirectory: '/',
        workingDirectoryFrom: 'label',
        entrypoint: ['./x'],
        entrypointFrom: 'label',
        cmd: [],
        needsGpu: false,
        oci: null,
        inside: null,
      }),
    },
    imageIngest: { pull: async (_image, sif, { verify }) => verify(sif), clis: async () => [] },
    privateDirectories: [],
    submitScript: {
      path: '/script',
      takesArgumentsFile: true,
      takesTimeWarning: true,
      writesBeginRecord: true,
      cancelSignal: 'QUIT',
    },
    girderSlurm: { current: async () => null, refresh: async () => null, problem: () => null },
    transferPatience: () => ({ tokenExpiresAt: Infinity, nonGirderMs: 60 * 60_000 }),
    girderSetup: () => ({ connections, apiUrlMap: {}, clock, log }),
    openGirderJob: async () => ({ ...silentGirderJob(), ...girderJob }),
    messages: { keep: async () => undefined },
    requestCancel: scheduler.requestCancel,
    publishResult: async (_, result) => void results.push(result),
    publish: async ({ properties }) =>
      void published.push((properties.headers as Record<string, unknown>)['task']),
    preparation: createPreparation(16, clock),
    submitGate: createSubmitGate({ clock, log, stopping: stop.signal, onChange: () => undefined }),
    lanes: {
      staging: createKeyedLimiter(8),
      submitting: new PQueue(),
      collecting: createKeyedLimiter(8),
      ingesting: new PQueue(),
    },
    stopping: stop.signal,
  };
  executor.tracker.start();
  return {
    dir,
    calls,
    results,
    published,
    run: () => runStore.get(id),
    cancelJob: async (jobId) => executor.cancel([jobId]),
    cancel: async (by) => void (await scheduler.requestCancel(id, by)),
    async finished() {
      scheduler.start(id);
      await scheduler.idle();
      return runStore.get(id);
    },
    async close() {
      stop.abort();
      await executor.tracker.stop();
      await connections.close();
      await rm(dir, { recursive: true });
    },
  };
}
