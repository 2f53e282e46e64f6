import { hostname } from 'node:os';

import type { Clock } from '../../base/clock.js';
import { describeFailure, type CommandRecord } from '../../base/command.js';
import { createCounter } from '../../base/counter.js';
import { errorLine } from '../../base/errors.js';
import { recentProblems, type Log } from '../../base/log.js';
import { maskText, maskUrl } from '../../base/text/redact.js';
import { createRing } from '../../base/ring.js';
import { programVersion } from '../../base/version.js';
import type { Broker } from '../../celery/broker.js';
import type { ClusterInfo } from '../../slurm/site.js';
import type { RunStore } from '../run-state/run-store.js';
import type { Journal } from '../run-state/journal.js';
import type { StandbyWorker } from '../open/standby.js';
import type { CommandLine, WorkerDetail } from './live-views.js';
import { createPolledWatch, type Watch } from './watch.js';

/** Recently run commands. */
export interface CommandLog {
  note(record: CommandRecord): void;
  recent(): readonly CommandLine[];
  /** Number of commands in the last minute. */
  lastMinute(): number;
}

const commandsKept = 200;
const maxLength = 500;
const maxArguments = 60;

export function createCommandLog(clock: Clock): CommandLog {
  const ring = createRing<CommandLine>(commandsKept);
  const counter = createCounter(clock, 1_000, 60);
  return {
    note({ at, file, args, result }) {
      counter.add();
      ring.push({
        at,
        file,
        args: args.slice(0, maxArguments).map((arg) => arg.slice(0, maxLength)),
        problem: maskText(describeFailure(result).slice(0, maxLength)),
        exitCode: result.kind === 'exited' ? result.exitCode : null,
        ms: result.ms,
      });
    },
    recent: () => ring.items(),
    lastMinute: () => counter.sum(),
  };
}

export interface WorkerDetailSources {
  brokerUrl: string;
  broker: () => Broker | null;
  runStore: RunStore;
  journal: Journal;
  commands: CommandLog;
  standbys: () => readonly StandbyWorker[];
  /** Limits of the cluster; queried once, for the first listener. Null without Slurm. */
  site: (() => Promise<ClusterInfo>) | null;
  log: Log;
  clock: Clock;
}

const everyMs = 2_000;
/** Milliseconds between two queries of queue depths. */
const queuesEveryMs = 10_000;

/** The state of the worker process and of the broker's queues. */
export function watchWorker(sources: WorkerDetailSources): Watch<WorkerDetail> & { stopCounting(): void } {
  const { brokerUrl, broker, runStore, journal, commands, standbys, site, log, clock } = sources;
  const accepted = createCounter(clock, 60_000, 60);
  const finished = createCounter(clock, 60_000, 60);
  const stopCounting = runStore.subscribe((run, { type }) => {
    if (type === 'accepted') accepted.add();
    if (type === 'finished' && run.stage === 'finished') finished.add();
  });
  const version = programVersion();
  let budget: number | null = null;
  let siteIsKnown = site === null;
  let queuesAskedAt = Number.NEGATIVE_INFINITY;

  const currentView = (last: Pick<WorkerDetail, 'broker' | 'at' | 'problem'>): WorkerDetail => {
    const { rss, heapUsed } = process.memoryUsage();
    return {
      at: last.at,
      problem: last.problem,
      version,
      pid: process.pid,
      host: hostname(),
      standbys: standbys(),
      memory: { rss, heapUsed },
      broker: last.broker,
      rates: { accepted: accepted.series(), finished: finished.series() },
      journal: { ...journal.state(), problem: runStore.problem() },
      commands: { lastMinute: commands.lastMinute(), budget, recent: commands.recent() },
      troubles: recentProblems(log),
    };
  };

  async function askQueues(last: WorkerDetail): Promise<Pick<WorkerDetail, 'broker' | 'at' | 'problem'>> {
    if (clock.monotonic() - queuesAskedAt < queuesEveryMs) return last;
    queuesAskedAt = clock.monotonic();
    try {
      const queues = await (broker()?.queueDepths() ?? []);
      return { broker: { ...last.broker, queues }, at: clock.now(), problem: null };
    } catch (error) {
      return { broker: last.broker, at: last.at, problem: errorLine(error) };
    }
  }

  async function askSite(): Promise<void> {
    if (siteIsKnown || site === null) return;
    const { rateLimit, version } = await site();
    siteIsKnown = version !== null;
    budget = rateLimit === null ? null : Math.floor(rateLimit.perSecond * 60);
  }

  const watch = createPolledWatch<WorkerDetail>({
    first: currentView({ broker: { address: maskUrl(brokerUrl), queues: [] }, at: null, problem: null }),
    async ask(last) {
      const [queues] = await Promise.all([askQueues(last), askSite()]);
      return currentView(queues);
    },
    everyMs,
    clock,
  });
  return { ...watch, stopCounting };
}
