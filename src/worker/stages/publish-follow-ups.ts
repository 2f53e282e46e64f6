import { hostname } from 'node:os';

import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { taskMessage } from '../../celery/messages/task-message.js';
import type { Task } from '../../celery/messages/task.js';
import type { GirderAccess } from '../../girder/protocol/analysis.js';
import { buildFollowUps, type FollowUps } from '../../girder/canvas/follow-ups.js';
import { encodeHooks, type FollowUp } from '../../girder/canvas/follow-up.js';
import { createGirderJobFor, type CreatedGirderJob } from '../../girder/jobs/create-job.js';
import { createRetries } from '../../girder/api/patience.js';
import type { Run } from '../run-state/run.js';
import type { StageContext, WorkerServices } from '../worker-services.js';

/** Milliseconds for which a fault inside Girder (500) is waited out: it may be this very job that Girder cannot make. */
const serverErrorMs = 15 * 60_000;
/** Attempts that look for a job before they ask for one: the search may go to an address that never answers. */
const searches = 10;

const nothing: FollowUps = { messages: [], children: [], errors: [] };

/** Why tasks that the publisher wants after this one cannot be published, whatever its outcome: a sentence each. */
export function refusedFollowUps(task: Task): string[] {
  return [...planFor(task, 'succeeded').errors, ...planFor(task, 'failed').errors];
}

/**
 * Publishes what Celery publishes after a task of this outcome: after a success its callbacks and the next of its chain, after
 * a failure its errbacks, and nothing once it was canceled. What is to be published follows from the task alone, and each
 * piece is journaled once it is done, so this goes on where a crash has ended it; a task that was published and not
 * journaled is published again with the same id.
 * @returns the published tasks, for the result
 * @throws only if the worker stops meanwhile
 */
export async function publishFollowUps(
  context: StageContext,
  run: Run,
  services: WorkerServices,
): Promise<FollowUps['children']> {
  if (run.outcome !== 'succeeded' && run.outcome !== 'failed') return [];
  if (run.outcome === 'failed' && haveErrbacksGone(run, services)) return [];
  const { messages, children } = planFor(run.task, run.outcome);
  const published = new Set(run.followUps.published);
  for (const followUp of messages) {
    if (published.has(followUp.place)) continue;
    try {
      await publishOne(followUp, context, run, services);
    } catch (error) {
      context.stopping.throwIfAborted();
      if (!(error instanceof DsaSlurmError)) throw error;
      services.log.error(
        { run: run.id, task: followUp.task, why: errorLine(error) },
        'a further task is not started',
      );
      context.girderJob.log(`${errorLine(error)}\n`);
      await context.girderJob.flush(context.stopping);
    }
    await services.runStore.record(run.id, { type: 'follow-up-published', place: followUp.place });
  }
  return children;
}

/** A run that is run again has told of its own failure, and is not to do so once more. */
function haveErrbacksGone({ retryOf }: Run, services: WorkerServices): boolean {
  if (retryOf === null) return false;
  const before = services.runStore.get(retryOf);
  return before === undefined || before.outcome === 'failed' || haveErrbacksGone(before, services);
}

async function publishOne(
  followUp: FollowUp,
  context: StageContext,
  run: Run,
  services: WorkerServices,
): Promise<void> {
  const headers = await girderHeaders(followUp, context, run, services);
  const message = taskMessage(followUp, headers, {
    now: services.clock.now(),
    origin: `gen${process.pid}@${hostname()}`,
  });
  await services.publish(message, context.stopping);
  services.log.info({ run: run.id, task: followUp.task, next: followUp.id }, 'published a further task');
}

/** Girder's headers of a task that one of ours has led to (contract, section b; girder_worker's nongirder_context.py). */
async function girderHeaders(
  followUp: FollowUp,
  context: StageContext,
  run: Run,
  services: WorkerServices,
): Promise<Record<string, unknown>> {
  const { ownHeaders, hooks } = followUp;
  if (followUp.task.startsWith('celery.')) return { ...ownHeaders };
  const { girder_api_url: apiUrl, girder_client_token: token } = run.task.headers;
  const access = typeof apiUrl === 'string' && typeof token === 'string' ? { apiUrl, token } : null;
  const job =
    'jobInfoSpec' in ownHeaders || access === null
      ? null
      : await girderJobFor(followUp, access, context, run, services);
  return {
    ...(typeof apiUrl === 'string' ? { girder_api_url: apiUrl } : {}),
    ...(typeof token === 'string' ? { girder_client_token: token } : {}),
    ...(job === null ? {} : { jobInfoSpec: job.jobInfoSpec }),
    ...ownHeaders,
    ...(hooks === null ? {} : { girder_result_hooks: encodeHooks(hooks, job?.id ?? null) }),
  };
}

/**
 * The Girder job of a further task: the one that an earlier attempt made, or a new one. That it is about to be made is journaled
 * first; where that stands and no job, or where an answer was lost, Girder is searched before it is asked again.
 * Without an API key there is no searching, and the one that nobody knows of stays behind, INACTIVE. Null if Girder
 * does not make one: the task goes without, as it does with girder_worker.
 */
async function girderJobFor(
  followUp: FollowUp,
  access: GirderAccess,
  context: StageContext,
  run: Run,
  services: WorkerServices,
): Promise<CreatedGirderJob | null> {
  const known = run.followUps.girderJobs[followUp.place];
  if (known !== undefined || followUp.girderJob === null) return known ?? null;
  const wanted = { ...followUp.girderJob, taskId: followUp.id, parentTaskId: run.id };
  const setup = { ...services.girderSetup(run), signal: context.stopping };
  // a Girder that is away is waited for as long as the token may be good, as with inputs and outputs
  const retries = createRetries({
    ...setup,
    patience: { ...services.transferPatience(run), serverErrorMs },
    isChange: true,
  });
  let mayBeThere = run.followUps.asked?.includes(followUp.place) ?? false;
  if (!mayBeThere) await services.runStore.record(run.id, { type: 'follow-up-asked', place: followUp.place });
  for (let attempt = 1; ; attempt += 1) {
    try {
      const isSearched = mayBeThere && attempt <= searches;
      mayBeThere = true;
      const found = isSearched ? await services.searchGirderJob(wanted, context.stopping) : null;
      const job = found ?? (await createGirderJobFor(access, wanted, setup));
      retries.reset();
      await services.runStore.record(run.id, { type: 'follow-up-job', place: followUp.place, job });
      return job;
    } catch (error) {
      context.stopping.throwIfAborted();
      try {
        await retries.wait(error);
      } catch {
        const why = errorLine(error);
        services.log.warn({ run: run.id, task: followUp.task, why }, 'Girder made no job for a further task');
        return null;
      }
      context.stopping.throwIfAborted();
    }
  }
}

/** A task that cannot be read wants nothing more than to be told so. */
function planFor(task: Task, outcome: 'succeeded' | 'failed'): FollowUps {
  try {
    return buildFollowUps(task, outcome);
  } catch {
    return nothing;
  }
}
