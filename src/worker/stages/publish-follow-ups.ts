import { hostname } from 'node:os';

import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { taskMessage } from '../../celery/messages/task-message.js';
import type { Task } from '../../celery/messages/task.js';
import type { GirderAccess } from '../../girder/protocol/analysis.js';
import { buildFollowUps, type FollowUps } from '../../girder/canvas/follow-ups.js';
import { encodeHooks, type FollowUp } from '../../girder/canvas/follow-up.js';
import { createGirderJobFor, type CreatedGirderJob } from '../../girder/jobs/create-job.js';
import { createRetries } from '../../girder/api/patience.js';
import type { DecidedRun } from '../run-state/run-milestones.js';
import type { Run } from '../run-state/run.js';
import type { Services, StageContext } from '../worker-services.js';

/** How long server errors (500) are retried, in milliseconds: Girder may be unable to create this particular job. */
const serverErrorMs = 15 * 60_000;
/** Attempts that search for an existing job first: the API address for searches may never answer. */
const maxSearches = 10;

/** What publishing follow-up tasks needs. */
export type FollowUpServices = Services<
  'runStore' | 'clock' | 'log' | 'girderSetup' | 'transferPatience' | 'searchGirderJob' | 'publish'
>;

const nothing: FollowUps = { messages: [], children: [], errors: [] };

/** Why follow-up tasks of this task cannot be published, for any outcome: one sentence each. */
export function refusedFollowUps(task: Task): string[] {
  return [...planFor(task, 'succeeded').errors, ...planFor(task, 'failed').errors];
}

/**
 * Publishes what Celery publishes after a task: callbacks and the next task of the chain after a success, errbacks after
 * a failure, nothing after a cancel. The follow-ups are derived from the task alone and journaled one by one, so this
 * resumes after a crash; a task that was published but not journaled is published again with the same id.
 * @returns the published tasks, for the result
 * @throws only if the worker stops
 */
export async function publishFollowUps(
  context: StageContext,
  run: DecidedRun,
  services: FollowUpServices,
): Promise<FollowUps['children']> {
  if (run.outcome === 'canceled') return [];
  if (run.outcome === 'failed' && wereErrbacksPublished(run, services)) return [];
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
        'could not publish a follow-up task',
      );
      context.girderJob.log(`${errorLine(error)}\n`);
      await context.girderJob.flush(context.stopping);
    }
    await services.runStore.record(run.id, { type: 'follow-up-published', place: followUp.place });
  }
  return children;
}

/** Whether an earlier attempt of this retry has failed: its errbacks were published then. */
function wereErrbacksPublished({ retryOf }: Run, services: Services<'runStore'>): boolean {
  if (retryOf === null) return false;
  const before = services.runStore.get(retryOf);
  return before === undefined || before.outcome === 'failed' || wereErrbacksPublished(before, services);
}

async function publishOne(
  followUp: FollowUp,
  context: StageContext,
  run: Run,
  services: FollowUpServices,
): Promise<void> {
  const headers = await girderHeaders(followUp, context, run, services);
  const message = taskMessage(followUp, headers, {
    now: services.clock.now(),
    origin: `gen${process.pid}@${hostname()}`,
  });
  await services.publish(message, context.stopping);
  services.log.info({ run: run.id, task: followUp.task, next: followUp.id }, 'published a follow-up task');
}

/** Girder's headers of a follow-up task (contract, section b; girder_worker's nongirder_context.py). */
async function girderHeaders(
  followUp: FollowUp,
  context: StageContext,
  run: Run,
  services: FollowUpServices,
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
 * The Girder job of a follow-up task: the one that an earlier attempt created, or a new one. The intent is journaled
 * first; after a crash or a lost answer Girder is searched before another job is created. Without an API key it cannot
 * be searched, and an unknown job stays behind as INACTIVE. Null if Girder creates none: the task is then published
 * without one, as girder_worker does.
 */
async function girderJobFor(
  followUp: FollowUp,
  access: GirderAccess,
  context: StageContext,
  run: Run,
  services: FollowUpServices,
): Promise<CreatedGirderJob | null> {
  const known = run.followUps.girderJobs[followUp.place];
  if (known !== undefined || followUp.girderJob === null) return known ?? null;
  const request = { ...followUp.girderJob, taskId: followUp.id, parentTaskId: run.id };
  const setup = { ...services.girderSetup(run), signal: context.stopping };
  // retry for as long as the token may be valid, as for inputs and outputs
  const retries = createRetries({
    ...setup,
    patience: { ...services.transferPatience(run), serverErrorMs },
    isChange: true,
  });
  let mayExist = run.followUps.asked?.includes(followUp.place) ?? false;
  if (!mayExist) await services.runStore.record(run.id, { type: 'follow-up-asked', place: followUp.place });
  for (let attempt = 1; ; attempt += 1) {
    try {
      const isSearched = mayExist && attempt <= maxSearches;
      mayExist = true;
      const found = isSearched ? await services.searchGirderJob(request, context.stopping) : null;
      const job = found ?? (await createGirderJobFor(access, request, setup));
      retries.reset();
      await services.runStore.record(run.id, { type: 'follow-up-job', place: followUp.place, job });
      return job;
    } catch (error) {
      context.stopping.throwIfAborted();
      try {
        await retries.wait(error);
      } catch {
        const why = errorLine(error);
        services.log.warn(
          { run: run.id, task: followUp.task, why },
          'Girder created no job for a follow-up task',
        );
        return null;
      }
      context.stopping.throwIfAborted();
    }
  }
}

/** A task that cannot be read has no follow-ups. */
function planFor(task: Task, outcome: 'succeeded' | 'failed'): FollowUps {
  try {
    return buildFollowUps(task, outcome);
  } catch {
    return nothing;
  }
}
