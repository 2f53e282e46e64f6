import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { basename } from 'node:path';

import type { Clock } from '../../base/clock.js';
import { describeFailure, type CommandRecord } from '../../base/command.js';
import { programVersion } from '../../base/version.js';
import type { RunStore } from '../run-state/run-store.js';
import { stages, type Run } from '../run-state/run.js';
import type { WorkerHandle } from '../views/handle.js';
import type { WorkerDetail } from '../views/live-views.js';
import { createHistogram, createMetricsText } from './open-metrics.js';

/** What happens in a worker, counted since its start. */
export interface Metrics {
  /** Counts a command. */
  noteCommand(record: CommandRecord): void;
  /** All metrics as OpenMetrics text. Contains no names of users, slides or images. */
  render(): string;
  close(): void;
}

export interface MetricsOptions {
  handle: Pick<WorkerHandle, 'snapshot' | 'watch'>;
  runStore: Pick<RunStore, 'all' | 'subscribe' | 'finished'>;
  clock: Clock;
}

/** From a few seconds to two days: queues of a busy cluster are long. */
const secondsBounds = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 43_200, 86_400, 172_800];

/** Commands that are counted under their own name. */
const slurmCommands = [
  'sbatch',
  'squeue',
  'scancel',
  'scontrol',
  'sacct',
  'sinfo',
  'srun',
  'sacctmgr',
  'sdiag',
];
const brokerStates = ['connecting', 'consuming', 'paused', 'disconnected', 'closed'] as const;
const unfinishedStages = stages.filter((stage) => stage !== 'finished');

interface Requests {
  requests: number;
  failures: number;
}

export function createMetrics({ handle, runStore, clock }: MetricsOptions): Metrics {
  const queueSeconds = createHistogram(secondsBounds);
  const runSeconds = createHistogram(secondsBounds);
  const totalSeconds = createHistogram(secondsBounds);
  const slurm = new Map<string, Requests>();
  const girder: Requests = { requests: 0, failures: 0 };
  let accepted = 0;
  let disconnects = 0;
  let lastBrokerState: string | null = null;
  let worker: WorkerDetail | null = null;

  const stopCounting = runStore.subscribe((run, { type }) => {
    if (type === 'accepted') accepted += 1;
    if (type !== 'finished') return;
    const { queued, running, total } = durations(run);
    if (queued !== null) queueSeconds.observe(queued);
    if (running !== null) runSeconds.observe(running);
    if (total !== null) totalSeconds.observe(total);
  });
  const stopWatching = handle.watch('worker', (view) => {
    worker = view;
    const { state } = handle.snapshot().health.broker;
    if (state === 'disconnected' && lastBrokerState !== null && lastBrokerState !== state) disconnects += 1;
    lastBrokerState = state;
  });

  // every HTTP request of a worker goes to a Girder
  const onAnswer = (message: unknown): void => {
    girder.requests += 1;
    const { response } = message as { response?: { statusCode?: number } };
    if ((response?.statusCode ?? 0) >= 500) girder.failures += 1;
  };
  const onError = (): void => {
    girder.requests += 1;
    girder.failures += 1;
  };
  subscribe('undici:request:headers', onAnswer);
  subscribe('undici:request:error', onError);

  return {
    noteCommand({ file, result }) {
      const name = basename(file);
      const command = slurmCommands.includes(name) ? name : 'other';
      const counts = slurm.get(command) ?? { requests: 0, failures: 0 };
      counts.requests += 1;
      if (describeFailure(result) !== '') counts.failures += 1;
      slurm.set(command, counts);
    },
    render() {
      const out = createMetricsText();
      const { health, jobs } = handle.snapshot();
      const now = clock.now();
      out.gauge('dsa_slurm_build', 'Version of the worker.', [[{ version: programVersion() }, 1]]);
      out.gauge('dsa_slurm_start_time_seconds', 'When the worker started.', one(health.startedAt / 1_000));

      const stages = new Map<string, number>();
      for (const { stage } of runStore.all()) stages.set(stage, (stages.get(stage) ?? 0) + 1);
      out.gauge(
        'dsa_slurm_runs',
        'Unfinished runs by stage.',
        unfinishedStages.map((stage) => [{ stage }, stages.get(stage) ?? 0] as const),
      );
      out.gauge('dsa_slurm_runs_limit', 'Maximum number of unfinished runs.', one(health.inFlightLimit));
      out.counter('dsa_slurm_runs_accepted', 'Tasks that became runs.', one(accepted));
      out.counter(
        'dsa_slurm_runs_finished',
        'Finished runs by outcome.',
        Object.entries(runStore.finished()).map(([outcome, count]) => [{ outcome }, count] as const),
      );
      out.histogram('dsa_slurm_run_queue_seconds', 'Time that jobs of finished runs were pending.', [
        [{}, queueSeconds.view()],
      ]);
      out.histogram('dsa_slurm_run_job_seconds', 'Time that jobs of finished runs were running.', [
        [{}, runSeconds.view()],
      ]);
      out.histogram('dsa_slurm_run_seconds', 'Time from the acceptance of a task to the end of its run.', [
        [{}, totalSeconds.view()],
      ]);

      const commands = [...slurm].sort(([a], [b]) => (a < b ? -1 : 1));
      out.counter(
        'dsa_slurm_commands',
        'Commands that were run, by name.',
        commands.map(([command, { requests }]) => [{ command }, requests] as const),
      );
      out.counter(
        'dsa_slurm_command_failures',
        'Commands that failed or timed out, by name.',
        commands.map(([command, { failures }]) => [{ command }, failures] as const),
      );
      out.gauge(
        'dsa_slurm_slurm_up',
        'Whether the last query of jobs succeeded.',
        one(jobs.problem === null ? 1 : 0),
      );
      if (jobs.at !== null) {
        out.gauge(
          'dsa_slurm_slurm_answer_age_seconds',
          'Age of the last answer of Slurm.',
          one((now - jobs.at) / 1_000),
        );
      }
      out.counter('dsa_slurm_girder_requests', 'HTTP requests to Girder.', one(girder.requests));
      out.counter(
        'dsa_slurm_girder_request_failures',
        'HTTP requests to Girder without an answer, or with a server error.',
        one(girder.failures),
      );
      out.gauge(
        'dsa_slurm_broker_state',
        'State of the connection to RabbitMQ.',
        brokerStates.map((state) => [{ state }, health.broker.state === state ? 1 : 0] as const),
      );
      out.counter('dsa_slurm_broker_disconnects', 'Lost connections to RabbitMQ.', one(disconnects));
      out.gauge(
        'dsa_slurm_intake_open',
        'Whether tasks are accepted.',
        one(health.intake === 'open' ? 1 : 0),
      );
      out.gauge(
        'dsa_slurm_problem',
        'Whether the worker reports a problem.',
        one(health.problem === null ? 0 : 1),
      );

      if (worker !== null) {
        const { broker, commands: rate, journal, standbys } = worker;
        out.gauge(
          'dsa_slurm_broker_queue_messages',
          'Messages that wait in the consumed queues.',
          broker.queues.map(({ queue, ready }) => [{ queue }, ready] as const),
        );
        out.gauge('dsa_slurm_commands_last_minute', 'Commands of the last minute.', one(rate.lastMinute));
        if (rate.budget !== null) {
          out.gauge(
            'dsa_slurm_commands_budget_per_minute',
            "Commands per minute that Slurm's rate limit allows.",
            one(rate.budget),
          );
        }
        out.gauge('dsa_slurm_journal_bytes', 'Size of the journal.', one(journal.bytes));
        if (journal.synced !== null) {
          out.gauge(
            'dsa_slurm_journal_sync_seconds',
            'Duration of the last sync to disk.',
            one(journal.synced.ms / 1_000),
          );
        }
        out.gauge('dsa_slurm_standbys', 'Workers that wait to take over.', one(standbys.length));
      }
      const { rss, heapUsed } = process.memoryUsage();
      const { user, system } = process.cpuUsage();
      out.gauge('dsa_slurm_resident_memory_bytes', 'Resident memory.', one(rss));
      out.gauge('dsa_slurm_heap_bytes', 'Used heap of V8.', one(heapUsed));
      out.counter('dsa_slurm_cpu_seconds', 'CPU time.', one((user + system) / 1_000_000));
      return out.text();
    },
    close() {
      stopCounting();
      stopWatching();
      unsubscribe('undici:request:headers', onAnswer);
      unsubscribe('undici:request:error', onError);
    },
  };
}

/** A family of one sample without labels. */
const one = (value: number) => [[{}, value]] as const;

/** Seconds of a finished run; null for a stage that it never reached. Times of a clock that was set back count as 0. */
function durations({ stages, acceptedAt, finishedAt }: Run): {
  queued: number | null;
  running: number | null;
  total: number | null;
} {
  let queued: number | null = null;
  let running: number | null = null;
  for (const [index, { stage, at }] of stages.entries()) {
    const next = stages[index + 1];
    if (next === undefined) continue;
    const seconds = Math.max(0, next.at - at) / 1_000;
    // a job that was requeued is queued and running several times
    if (stage === 'queued') queued = (queued ?? 0) + seconds;
    if (stage === 'running') running = (running ?? 0) + seconds;
  }
  return {
    queued,
    running,
    total: finishedAt === null ? null : Math.max(0, finishedAt - acceptedAt) / 1_000,
  };
}
