import { DsaSlurmError, coerceError, errorLine } from '../../base/errors.js';
import type { Analysis } from '../../girder/protocol/analysis.js';
import type { GirderJob } from '../../girder/jobs/job.js';
import { readAnalysis } from '../../girder/protocol/read-analysis.js';
import { readIngest, type Ingest } from '../../girder/protocol/read-ingest.js';
import { ingestTask } from '../../girder/protocol/task-names.js';
import { firstGirderAccess } from '../../girder/api/user.js';
import { checkToken } from './check-token.js';
import { followLog } from '../logs/follow-log.js';
import { reconcileLog } from '../logs/reconcile-log.js';
import { runFilesOf } from '../reporting/run-files.js';
import {
  isDecided,
  isEnded,
  isStaged,
  isSubmitting,
  type DecidedRun,
  type SubmittedRun,
} from '../run-state/run-milestones.js';
import type { CancelSource, Run } from '../run-state/run.js';
import { waitUntilDue } from './accepted.js';
import { collect, keepArtifacts, type RunResult } from './collecting.js';
import { girderKey } from './limit-concurrency.js';
import { reportOutcome } from './finished.js';
import { refusedFollowUps } from './publish-follow-ups.js';
import { pullImages } from './pull-images.js';
import { stageInputs } from './staging.js';
import { findSubmitted, submitJob } from './submitting.js';
import { monitorJob } from './running.js';
import type { StageContext, WorkerServices } from '../worker-services.js';

/**
 * Processes one run from the stage that the journal records to its end; each stage is one file of this folder. Any error
 * becomes the outcome of this run and affects no other.
 *
 * Resolves when the run has finished, or when the worker stops: the journal then says where to resume.
 * @param signal aborts when the run is canceled or the worker stops
 */
export async function processRun(id: string, services: WorkerServices, signal: AbortSignal): Promise<void> {
  const { runStore, stopping } = services;
  const log = services.log.child({ run: id });
  const begun = runStore.mustGet(id);
  const context: StageContext = {
    id,
    girderJob: await services.openGirderJob(begun),
    signal,
    stopping,
  };
  try {
    // log text that an earlier worker had read but not sent is read again
    if (begun.end !== null) {
      await reconcileLog(context, services);
      await followLog(context, services, AbortSignal.abort());
    }
    const isResumed = isDecided(begun);
    const decided = isResumed ? begun : await decide(begun, context, services);
    await reportOutcome(context, decided, services, { isResumed });
  } catch (error) {
    if (stopping.aborted) return;
    // every expected failure has become an outcome by now
    log.error({ err: coerceError(error) }, 'internal error; the next start of the worker resumes the run');
  } finally {
    context.girderJob.close();
  }
}

async function decide(begun: Run, context: StageContext, services: WorkerServices): Promise<DecidedRun> {
  const { runStore } = services;
  const result = await resolveOutcome(begun, context, services);
  context.stopping.throwIfAborted();
  // a cancel after the last upload counts, too: no other outcome has been reported yet
  const { cancel } = runStore.mustGet(begun.id);
  const decision = cancel === null ? result : canceledBy(cancel);
  return { ...(await runStore.record(begun.id, { type: 'decided', ...decision })), ...decision };
}

async function resolveOutcome(
  begun: Run,
  context: StageContext,
  services: WorkerServices,
): Promise<RunResult> {
  try {
    const result = await classifyErrors(begun, context, services);
    if (result.outcome === 'failed' && begun.refusal === null) {
      const run = services.runStore.mustGet(begun.id);
      if (isStaged(run)) await keepArtifacts(context, readAnalysis(begun.task), run, services);
    }
    return result;
  } catch (error) {
    const { cancel } = services.runStore.get(context.id) ?? begun;
    if (context.stopping.aborted || cancel === null) throw error;
    return canceledBy(cancel);
  }
}

async function classifyErrors(
  begun: Run,
  context: StageContext,
  services: WorkerServices,
): Promise<RunResult> {
  try {
    return await runStages(begun, context, services);
  } catch (error) {
    if (context.stopping.aborted) throw error;
    const { cancel } = services.runStore.get(context.id) ?? begun;
    if (cancel !== null) return canceledBy(cancel);
    if (!(error instanceof DsaSlurmError)) {
      services.log.error({ run: context.id, err: coerceError(error) }, 'internal error; the run failed');
      return { outcome: 'failed', reason: `The worker failed unexpectedly: ${coerceError(error).message}` };
    }
    // logged because, unlike an analysis that ends with an error, this may be a problem of the worker
    services.log.warn({ run: context.id, why: error.message }, 'the run failed');
    return { outcome: 'failed', reason: errorLine(error) };
  }
}

async function runStages(begun: Run, context: StageContext, services: WorkerServices): Promise<RunResult> {
  const prepared = await prepare(begun, context, services);
  if ('result' in prepared) return prepared.result;
  const { submitted } = prepared;
  // the task is decoded again where it is needed: the jobs of thousands of runs may wait here
  const ended = isEnded(submitted) ? submitted : await monitorJob(context, submitted, services);
  return collect(context, readAnalysis(begun.task), ended, services);
}

/** A run whose job is in Slurm; or its result, if it needs no job. */
type Prepared = { submitted: SubmittedRun } | { result: RunResult };

/** All that comes before Slurm has the job. */
async function prepare(begun: Run, context: StageContext, services: WorkerServices): Promise<Prepared> {
  if (begun.refusal !== null) throw new DsaSlurmError('message', begun.refusal);
  const work = readWork(begun);
  services.runStore.recordVolatile(begun.id, {
    type: 'described',
    description: describe(work),
    facts: runFilesOf(begun.task, work.kind === 'analysis' ? work.analysis : null),
  });

  if (begun.stage === 'accepted') {
    const cancel = await waitUntilDue(begun, context, services);
    if (cancel !== null) return { result: canceledBy(cancel) };
  }
  const leave = await enterPreparation(begun, work, context, services);
  try {
    return await submitWork(begun, work, context, services);
  } finally {
    leave();
  }
}

async function enterPreparation(
  begun: Run,
  work: Work,
  { signal }: StageContext,
  services: WorkerServices,
): Promise<() => void> {
  // a run that may have a job is followed at once
  if (isSubmitting(begun) || work.kind === 'ingest') return () => undefined;
  const { args, hooks } = work.analysis;
  const key = girderKey([...args, ...hooks], services.girderSetup(begun).apiUrlMap);
  return services.preparation.enter(key, signal);
}

async function submitWork(
  begun: Run,
  work: Work,
  context: StageContext,
  services: WorkerServices,
): Promise<Prepared> {
  const answer = await begin(begun, context, services);
  if (answer !== 'go') await services.requestCancel(begun.id, 'girder');
  const run = services.runStore.mustGet(begun.id);
  if (begun.stage === 'accepted' && run.retryOf !== null)
    context.girderJob.log(retrySentence(run.retryOf, services));
  void nameOwner(run, work, context, services);
  if (run.jobId === null)
    for (const sentence of refusedFollowUps(run.task)) context.girderJob.log(`${sentence}\n`);
  if (work.kind === 'ingest') {
    return {
      result: run.cancel === null ? await pullImages(context, work.ingest, services) : canceledBy(run.cancel),
    };
  }
  const { analysis } = work;
  if (analysis.ignoredOptions.length > 0 && run.jobId === null) {
    context.girderJob.log(
      `Ignored Docker options, which Apptainer does not support: ${analysis.ignoredOptions.join(', ')}\n`,
    );
  }
  // a job that may be in Slurm already must be found before it can be canceled
  let submitted = await findSubmitted(context, run, services);
  if (submitted === null) {
    const keepsInputs = isSubmitting(run) && isStaged(run);
    if (!keepsInputs && run.cancel !== null) return { result: canceledBy(run.cancel) };
    if (!keepsInputs) await checkToken(run, analysis, context, services);
    const staged = keepsInputs ? run : await stageInputs(context, analysis, run, services);
    submitted = await submitJob(context, analysis, staged, services);
  }
  return { submitted };
}

/**
 * Sets the Girder job to RUNNING or QUEUED. A run whose Girder job refuses that does not start. A run that may have a
 * job already is followed to the end of that job all the same, because nothing else would cancel it or clean up after
 * it; nor does its cancel wait for a Girder that is down.
 */
async function begin(
  { id, stage, submission }: Run,
  { girderJob, signal, stopping }: StageContext,
  { settings, log }: WorkerServices,
): ReturnType<GirderJob['begin']> {
  const hasStarted = stage === 'running' || stage === 'collecting';
  try {
    return await girderJob.begin(
      hasStarted || settings.girder.runningMeans === 'accepted' ? 'running' : 'queued',
      signal,
    );
  } catch (error) {
    if (submission === null || stopping.aborted) throw error;
    if (!signal.aborted) {
      if (!(error instanceof DsaSlurmError)) throw error;
      log.warn({ run: id, why: errorLine(error) }, 'Girder refuses updates of a run that may have a job');
    }
    return 'go';
  }
}

function retrySentence(retryOf: string, { runStore }: WorkerServices): string {
  const first = runStore.get(retryOf)?.description.girderJobId ?? null;
  const which = first === null ? `the task ${retryOf}` : `the Girder job ${first} (task ${retryOf})`;
  return `Retry of ${which}, which failed or was canceled.\n`;
}

function canceledBy({ by }: NonNullable<Run['cancel']>): RunResult {
  return { outcome: 'canceled', reason: cancelReasons[by] ?? null };
}

/** Reasons that the owner of the slide cannot see in Girder. */
const cancelReasons: Partial<Record<CancelSource, string>> = {
  expiry: 'The task expired before it could be started.',
  operator: 'The operator of the worker (dsa-slurm) canceled this analysis.',
  deletion: 'Its job was deleted in Girder.',
};

/** What a task does: run an analysis, or add images. */
type Work = { kind: 'analysis'; analysis: Analysis } | { kind: 'ingest'; ingest: Ingest };

function readWork({ task }: Run): Work {
  return task.name === ingestTask
    ? { kind: 'ingest', ingest: readIngest(task) }
    : { kind: 'analysis', analysis: readAnalysis(task) };
}

function describe(work: Work): { image: string; cli: string; title: string | null } {
  if (work.kind === 'ingest') return { image: work.ingest.images.join(', '), cli: 'add images', title: null };
  const { image, args, title } = work.analysis;
  const first = args[0];
  return { image, cli: first?.kind === 'text' ? first.text : '', title };
}

/** Looks up the owner of the Girder job, for screens. Nothing waits for it or depends on it. */
async function nameOwner(
  run: Run,
  work: Work,
  context: StageContext,
  services: WorkerServices,
): Promise<void> {
  try {
    const title = context.girderJob.lastSeen()?.title ?? describe(work).title;
    const isIngest = work.kind === 'ingest';
    const user = await services.findUser({
      setup: services.girderSetup(run),
      access: isIngest ? work.ingest.access : firstGirderAccess(work.analysis),
      isOwnToken: isIngest,
      ownerId: isIngest ? null : work.analysis.ownerId,
      girderJobId: run.description.girderJobId,
      signal: context.stopping,
    });
    services.runStore.recordVolatile(run.id, { type: 'described', description: { title, user } });
  } catch (error) {
    services.log.debug(
      { run: run.id, why: errorLine(error) },
      'could not look up the owner of the Girder job',
    );
  }
}
