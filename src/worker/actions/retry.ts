import { randomUUID } from 'node:crypto';

import type { Clock } from '../../base/clock.js';
import { DsaSlurmError, coerceError, errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Task } from '../../celery/messages/task.js';
import { readToken } from '../../girder/api/access-token.js';
import type { GirderAccess } from '../../girder/protocol/analysis.js';
import { clientFor, type GirderSetup } from '../../girder/api/client.js';
import { createGirderJobFor, type CreatedGirderJob } from '../../girder/jobs/create-job.js';
import { readAnalysis } from '../../girder/protocol/read-analysis.js';
import { readIngest } from '../../girder/protocol/read-ingest.js';
import { retryHeaders } from '../../girder/api/retry-headers.js';
import { ingestTask } from '../../girder/protocol/task-names.js';
import { firstGirderAccess } from '../../girder/api/user.js';
import type { RunStore } from '../run-state/run-store.js';
import type { GirderJobSearch } from '../reporting/girder-job-search.js';
import { runsInFlight } from '../task-acceptor.js';
import type { RetryMessages } from '../run-state/retry-messages.js';
import type { Run } from '../run-state/run.js';

export interface RetriesOptions {
  runStore: RunStore;
  messages: RetryMessages;
  /** How Girder is reached, for a task with these headers. */
  girderSetup: (task: Pick<Task, 'id' | 'headers'>) => GirderSetup;
  searchGirderJob: GirderJobSearch;
  /** Runs that may be unfinished at one time. */
  limit: number;
  /** Called once for each new run. */
  onRun: (id: string) => void;
  clock: Clock;
  log: Log;
  stopping: AbortSignal;
}

/** Runs that failed or were canceled are run again from the message that was kept of them. */
export interface Retries {
  /**
   * Begins one new run with a Girder job of its own. The old run and its Girder job stay as they ended.
   * @returns the new run's id
   * @throws DsaSlurmError with a sentence why it is not run again
   */
  retry(id: string): Promise<string>;
  /** Goes on with what a worker that died had begun. Never rejects. */
  resume(): Promise<void>;
}

/**
 * One request makes one run: its id is in the journal before anything else happens, and the next request is told of it. A worker
 * that dies after Girder has made the new job and before the run is in the journal looks for it in Girder at its next start.
 * Without an API key it cannot: then that Girder job is left behind, INACTIVE, and another one is made.
 */
export function createRetries(tools: RetriesOptions): Retries {
  const { runStore, messages, clock, log, stopping } = tools;
  /** Ids of runs whose retry is being made. */
  const going = new Set<string>();

  async function retry(id: string): Promise<string> {
    const run = runStore.get(id);
    if (run === undefined) return refuse(`There is no run ${id}.`);
    refuseUnfit(run);
    if (going.has(id)) return refuse(`Run ${id} is being run again at this moment.`);
    if (runsInFlight(runStore, tools.limit) + going.size >= tools.limit) {
      return refuse(
        `Run ${id} is not run again now: as many runs are in flight as may be.`,
        'Wait for some of them to end, or raise worker.inFlight.',
      );
    }
    going.add(id);
    try {
      const task = await keptTask(run);
      await checkTokens(task);
      const as = randomUUID();
      await runStore.record(id, { type: 'retrying', as });
      return await begin(run, task, as, { mayBeThere: false });
    } finally {
      going.delete(id);
    }
  }

  async function keptTask(run: Run): Promise<Task> {
    const message = await messages.read(run.id);
    if (message !== null) return { ...run.task, ...message };
    return refuse(
      `The message of run ${run.id} is not kept any more, or its tokens have expired.`,
      'Start it in Girder once more. The settings worker.retryHours and worker.retryMegabytes say how much is kept.',
    );
  }

  /** Tokens are made with their message, so one of them tells of all. */
  async function checkTokens(task: Task): Promise<void> {
    const access = accessOf(task);
    if (access === null) return;
    const facts = await readToken(clientFor(access, tools.girderSetup(task)), stopping).catch(
      (error: unknown) =>
        refuse(`Girder does not say whether the tokens of this run still work. ${errorLine(error)}`),
    );
    if (facts === null) {
      refuse(
        'Girder no longer knows the tokens of this run: they have expired or were withdrawn.',
        'Start the analysis in Girder once more.',
      );
    }
  }

  async function goOn(run: Run, as: string): Promise<void> {
    if (runStore.get(as) !== undefined) {
      await runStore.record(run.id, { type: 'retried' });
      return;
    }
    const task = await keptTask(run).catch(async (error: unknown) => {
      await runStore.record(run.id, { type: 'retry-dropped' });
      throw error;
    });
    await begin(run, task, as, { mayBeThere: true });
  }

  /** @param how `mayBeThere`: a worker that died may have made the new run's Girder job */
  async function begin(run: Run, task: Task, as: string, how: { mayBeThere: boolean }): Promise<string> {
    const job = await makeGirderJob(run, task, as, how).catch(async (error: unknown) => {
      stopping.throwIfAborted();
      await runStore.record(run.id, { type: 'retry-dropped' });
      return refuse(`Girder makes no job to run ${run.id} again. ${errorLine(error)}`);
    });
    const again: Task = {
      ...task,
      id: as,
      headers: retryHeaders(task, as, job),
      // whoever waited for the first one has been told of its end; now somebody else wants it, and at once
      replyTo: null,
      correlationId: null,
      ignoreResult: true,
      eta: null,
      expires: null,
      redelivered: false,
    };
    await accept(again, run.id);
    await runStore.record(run.id, { type: 'retried' });
    // a run is run again once
    await messages.remove(run.id);
    log.info({ run: as, retryOf: run.id }, 'a run is run again');
    tools.onRun(as);
    return as;
  }

  /** A full disk is waited out: the Girder job is there and must not stay alone. */
  async function accept(task: Task, retryOf: string): Promise<void> {
    for (let wait = 500; ; wait = Math.min(wait * 2, 15_000)) {
      try {
        await runStore.accept({ task, refusal: null, retryOf });
        return;
      } catch (error) {
        stopping.throwIfAborted();
        log.error({ run: task.id, retryOf, err: coerceError(error) }, 'a run is not in the journal yet');
        await clock.sleep(wait, stopping);
      }
    }
  }

  async function makeGirderJob(
    run: Run,
    task: Task,
    as: string,
    { mayBeThere }: { mayBeThere: boolean },
  ): Promise<CreatedGirderJob | null> {
    const { jobInfoSpec, girder_api_url: apiUrl, girder_client_token: token } = task.headers;
    if (jobInfoSpec === undefined || jobInfoSpec === null) return null;
    if (typeof apiUrl !== 'string' || typeof token !== 'string') {
      return refuse('Its message has no token to make one with.');
    }
    const { title, image, cli } = run.description;
    const wanted = {
      title: `${title ?? (cli || 'Analysis')} (retry)`.replace(/( \(retry\))+$/, ' (retry)'),
      type: task.name === ingestTask || image === '' ? task.name : `${image}#${cli}`,
      handler: 'celery_handler',
      public: false,
      args: '[]',
      taskId: as,
      parentTaskId: run.id,
      otherFields: {},
    };
    const found = mayBeThere ? await tools.searchGirderJob(wanted, stopping) : null;
    const setup = { ...tools.girderSetup(task), signal: stopping };
    return found ?? createGirderJobFor({ apiUrl, token }, wanted, setup);
  }

  return {
    retry,
    async resume() {
      for (const run of runStore.all()) {
        if (run.retry === null || run.retry.begun) continue;
        going.add(run.id);
        try {
          await goOn(run, run.retry.as);
        } catch (error) {
          if (stopping.aborted) return;
          log.error({ run: run.id, why: errorLine(error) }, 'a run is not run again after all');
        } finally {
          going.delete(run.id);
        }
      }
    },
  };
}

/** Only what has not succeeded, and was not run again yet, may be run again. */
function refuseUnfit(run: Run): void {
  if (run.stage !== 'finished') refuse(`Run ${run.id} has not ended.`, 'Cancel it first.');
  if (run.outcome === 'succeeded') refuse(`Run ${run.id} has succeeded.`, 'Start it in Girder once more.');
  if (run.refusal !== null) refuse(`The message of run ${run.id} was refused, and would be again.`);
  if (run.retry !== null) {
    refuse(
      `Run ${run.id} has been run again already, as run ${run.retry.as}.`,
      'If that one has failed too, run that one again.',
    );
  }
}

function accessOf(task: Task): GirderAccess | null {
  try {
    return task.name === ingestTask ? readIngest(task).access : firstGirderAccess(readAnalysis(task));
  } catch {
    return null;
  }
}

function refuse(sentence: string, next?: string): never {
  throw new DsaSlurmError('worker', sentence, next === undefined ? {} : { next });
}
