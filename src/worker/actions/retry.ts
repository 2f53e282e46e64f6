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
  /** Connection options for Girder, for a task with these headers. */
  girderSetup: (task: Pick<Task, 'id' | 'headers'>) => GirderSetup;
  searchGirderJob: GirderJobSearch;
  /** Maximum number of runs in flight. */
  limit: number;
  /** Called once for each new run. */
  onRun: (id: string) => void;
  clock: Clock;
  log: Log;
  stopping: AbortSignal;
}

/** Retries runs that failed or were canceled from their saved messages. */
export interface RunRetries {
  /**
   * Creates a new run with its own Girder job. The old run and its Girder job do not change.
   * @returns the new run's id
   * @throws DsaSlurmError if it cannot be retried
   */
  retry(id: string): Promise<string>;
  /** Continues retries that a previous worker began. Never rejects. */
  resume(): Promise<void>;
}

/**
 * A run is retried only once: the new id is in the journal before anything else happens. If the worker dies after Girder created the
 * new job and before the run is in the journal, the next worker searches for that job in Girder. Without an API key this is not
 * possible: then the Girder job stays behind, INACTIVE, and another one is created.
 */
export function createRunRetries(tools: RetriesOptions): RunRetries {
  const { runStore, messages, clock, log, stopping } = tools;
  /** Ids of runs whose retry is in progress. */
  const inProgress = new Set<string>();

  async function retry(id: string): Promise<string> {
    const run = runStore.get(id);
    if (run === undefined) return refuse(`There is no run ${id}.`);
    refuseUnfit(run);
    if (inProgress.has(id)) return refuse(`Run ${id} is being run again at this moment.`);
    if (runsInFlight(runStore, tools.limit) + inProgress.size >= tools.limit) {
      return refuse(
        `Run ${id} cannot be retried now: the limit of runs in flight is reached.`,
        'Wait for some of them to end, or raise worker.inFlight.',
      );
    }
    inProgress.add(id);
    try {
      const task = await keptTask(run);
      await checkTokens(task);
      const as = randomUUID();
      await runStore.record(id, { type: 'retrying', as });
      return await begin(run, task, as, { mayExist: false });
    } finally {
      inProgress.delete(id);
    }
  }

  async function keptTask(run: Run): Promise<Task> {
    const message = await messages.read(run.id);
    if (message !== null) return { ...run.task, ...message };
    return refuse(
      `The message of run ${run.id} is no longer available, or its tokens have expired.`,
      'Start the analysis again in Girder. The settings worker.retryHours and worker.retryMegabytes limit what is kept.',
    );
  }

  /** All tokens of a message are created together, so checking one is enough. */
  async function checkTokens(task: Task): Promise<void> {
    const access = accessOf(task);
    if (access === null) return;
    const facts = await readToken(clientFor(access, tools.girderSetup(task)), stopping).catch(
      (error: unknown) => refuse(`The tokens of this run cannot be checked. ${errorLine(error)}`),
    );
    if (facts === null) {
      refuse(
        'Girder no longer knows the tokens of this run: they have expired or were revoked.',
        'Start the analysis again in Girder.',
      );
    }
  }

  async function resumeRetry(run: Run, as: string): Promise<void> {
    if (runStore.get(as) !== undefined) {
      await runStore.record(run.id, { type: 'retried' });
      return;
    }
    const task = await keptTask(run).catch(async (error: unknown) => {
      await runStore.record(run.id, { type: 'retry-dropped' });
      throw error;
    });
    await begin(run, task, as, { mayExist: true });
  }

  /** @param how `mayExist`: a previous worker may have created the Girder job */
  async function begin(run: Run, task: Task, as: string, how: { mayExist: boolean }): Promise<string> {
    const job = await makeGirderJob(run, task, as, how).catch(async (error: unknown) => {
      stopping.throwIfAborted();
      await runStore.record(run.id, { type: 'retry-dropped' });
      return refuse(`Girder cannot create a job for the retry of run ${run.id}. ${errorLine(error)}`);
    });
    const again: Task = {
      ...task,
      id: as,
      headers: retryHeaders(task, as, job),
      // the result of the first run was already sent; an operator wants this one, and now
      replyTo: null,
      correlationId: null,
      ignoreResult: true,
      eta: null,
      expires: null,
      redelivered: false,
    };
    await accept(again, run.id);
    await runStore.record(run.id, { type: 'retried' });
    // a run is retried only once
    await messages.remove(run.id);
    log.info({ run: as, retryOf: run.id }, 'retrying a run');
    tools.onRun(as);
    return as;
  }

  /** Waits for a full disk, because the Girder job exists already and needs its run. */
  async function accept(task: Task, retryOf: string): Promise<void> {
    for (let wait = 500; ; wait = Math.min(wait * 2, 15_000)) {
      try {
        await runStore.accept({ task, refusal: null, retryOf });
        return;
      } catch (error) {
        stopping.throwIfAborted();
        log.error(
          { run: task.id, retryOf, err: coerceError(error) },
          'a run cannot be written to the journal yet',
        );
        await clock.sleep(wait, stopping);
      }
    }
  }

  async function makeGirderJob(
    run: Run,
    task: Task,
    as: string,
    { mayExist }: { mayExist: boolean },
  ): Promise<CreatedGirderJob | null> {
    const { jobInfoSpec, girder_api_url: apiUrl, girder_client_token: token } = task.headers;
    if (jobInfoSpec === undefined || jobInfoSpec === null) return null;
    if (typeof apiUrl !== 'string' || typeof token !== 'string') {
      return refuse('Its message has no token for this.');
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
    const found = mayExist ? await tools.searchGirderJob(wanted, stopping) : null;
    const setup = { ...tools.girderSetup(task), signal: stopping };
    return found ?? createGirderJobFor({ apiUrl, token }, wanted, setup);
  }

  return {
    retry,
    async resume() {
      for (const run of runStore.all()) {
        if (run.retry === null || run.retry.begun) continue;
        inProgress.add(run.id);
        try {
          await resumeRetry(run, run.retry.as);
        } catch (error) {
          if (stopping.aborted) return;
          log.error({ run: run.id, why: errorLine(error) }, 'a run cannot be retried');
        } finally {
          inProgress.delete(run.id);
        }
      }
    },
  };
}

/** Only runs that failed or were canceled, and were not retried yet, can be retried. */
function refuseUnfit(run: Run): void {
  if (run.stage !== 'finished') refuse(`Run ${run.id} has not ended.`, 'Cancel it first.');
  if (run.outcome === 'succeeded') refuse(`Run ${run.id} has succeeded.`, 'Start it again in Girder.');
  if (run.refusal !== null) refuse(`The message of run ${run.id} was rejected, and would be rejected again.`);
  if (run.retry !== null) {
    refuse(
      `Run ${run.id} was already retried as run ${run.retry.as}.`,
      'If that one failed too, retry that one.',
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
