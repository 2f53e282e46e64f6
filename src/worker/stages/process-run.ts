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
import type { CancelSource, Run } from '../run-state/run.js';
import { waitUntilDue } from './accepted.js';
import { collect, keepArtifacts, type RunResult } from './collecting.js';
import { reportOutcome } from './finished.js';
import { refusedFollowUps } from './publish-follow-ups.js';
import { pullImages } from './pull-images.js';
import { stageInputs } from './staging.js';
import { submitJob } from './submitting.js';
import { monitorJob } from './running.js';
import type { StageContext, WorkerServices } from '../worker-services.js';

/**
 * Carries one run from wherever the journal has it to its end. This is the whole story of a task; each stage is one
 * file in `stages/`. Whatever goes wrong on the way becomes the outcome of this run and touches no other.
 *
 * Resolves when the run is finished, or when the worker stops: then the journal says where to go on.
 */
export async function processRun(id: string, services: WorkerServices, canceled: AbortSignal): Promise<void> {
  const { runStore, stopping } = services;
  const log = services.log.child({ run: id });
  const begun = runStore.get(id);
  if (begun === undefined) throw new Error(`no run ${id} in the run store`);
  const context: StageContext = {
    id,
    girderJob: await services.openGirderJob(begun),
    signal: AbortSignal.any([stopping, canceled]),
    stopping,
  };
  try {
    // what was read of the log when the worker went away, and had not reached Girder by then, is read again
    if (begun.end !== null) {
      await reconcileLog(context, services);
      await followLog(context, services, AbortSignal.abort());
    }
    if (begun.outcome === null) {
      const verdict = await resolveOutcome(begun, context, services);
      stopping.throwIfAborted();
      // one that came after the last upload counts too: nobody has been told of another end
      const cancel = runStore.get(id)?.cancel ?? null;
      await runStore.record(id, { type: 'decided', ...(cancel === null ? verdict : canceledBy(cancel)) });
    }
    await reportOutcome(context, runStore.get(id) ?? begun, services, { isResumed: begun.outcome !== null });
  } catch (error) {
    if (stopping.aborted) return;
    // every expected failure is an outcome by now
    log.error({ err: coerceError(error) }, 'a defect of this program: the run is left where it is');
  } finally {
    context.girderJob.close();
  }
}

async function resolveOutcome(
  begun: Run,
  context: StageContext,
  services: WorkerServices,
): Promise<RunResult> {
  try {
    const verdict = await classifyErrors(begun, context, services);
    if (verdict.outcome === 'failed' && begun.refusal === null) {
      const run = services.runStore.get(begun.id) ?? begun;
      if (run.staged !== null) await keepArtifacts(context, readAnalysis(begun.task), run, services);
    }
    return verdict;
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
      services.log.error(
        { run: context.id, err: coerceError(error) },
        'a defect of this program failed a run',
      );
      return { outcome: 'failed', reason: `The worker failed unexpectedly: ${coerceError(error).message}` };
    }
    // that an analysis ends with an error is no trouble of the worker; this may be
    services.log.warn({ run: context.id, why: error.message }, 'the run failed');
    return { outcome: 'failed', reason: errorLine(error) };
  }
}

async function runStages(begun: Run, context: StageContext, services: WorkerServices): Promise<RunResult> {
  if (begun.refusal !== null) throw new DsaSlurmError('message', begun.refusal);
  const work = readWork(begun);
  services.runStore.recordVolatile(begun.id, {
    type: 'described',
    description: describe(work),
    facts: runFilesOf(begun.task, work.kind === 'analysis' ? work.analysis : null),
  });

  if (begun.stage === 'accepted') {
    const unwanted = await waitUntilDue(begun, context, services);
    if (unwanted !== null) return canceledBy(unwanted);
  }
  const known = await begin(begun, context, services);
  if (known !== 'go') await services.requestCancel(begun.id, 'girder');
  let run = services.runStore.get(begun.id) ?? begun;
  if (begun.stage === 'accepted' && run.retryOf !== null)
    context.girderJob.log(retrySentence(run.retryOf, services));
  void nameOwner(run, work, context, services);
  if (run.jobId === null)
    for (const sentence of refusedFollowUps(run.task)) context.girderJob.log(`${sentence}\n`);
  if (work.kind === 'ingest') {
    return run.cancel === null ? pullImages(context, work.ingest, services) : canceledBy(run.cancel);
  }
  const { analysis } = work;
  if (analysis.ignoredOptions.length > 0 && run.jobId === null) {
    context.girderJob.log(
      `Docker options that mean nothing to Apptainer, and are left out: ${analysis.ignoredOptions.join(', ')}\n`,
    );
  }
  // a job that may already be in Slurm keeps the inputs that it was given, and has to be found before it can be canceled
  if (run.submission === null) {
    if (run.cancel !== null) return canceledBy(run.cancel);
    await checkToken(run, analysis, context, services);
    run = await stageInputs(context, analysis, run, services);
  }
  if (run.jobId === null) run = await submitJob(context, analysis, run, services);
  if (run.end === null) run = await monitorJob(context, analysis, services);
  return collect(context, analysis, run, services);
}

/**
 * Says RUNNING, or QUEUED where that is to be said first. A run that Girder will not hear of is not begun; but one that may have its job already is followed to
 * the end of that job, because nobody else would cancel it or clear up after it. Nor does its cancel wait for a Girder
 * that is away.
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
      log.warn({ run: id, why: errorLine(error) }, 'Girder refuses to hear of a run that may have its job');
    }
    return 'go';
  }
}

function retrySentence(retryOf: string, { runStore }: WorkerServices): string {
  const first = runStore.get(retryOf)?.description.girderJobId ?? null;
  const which = first === null ? `the task ${retryOf}` : `the Girder job ${first} (task ${retryOf})`;
  return `This runs ${which} again, which has not succeeded.\n`;
}

function canceledBy({ by }: NonNullable<Run['cancel']>): RunResult {
  return { outcome: 'canceled', reason: cancelReasons[by] ?? null };
}

/** What the owner of a slide cannot know by himself. */
const cancelReasons: Partial<Record<CancelSource, string>> = {
  expiry: 'The task expired before it could be started.',
  operator: 'The operator of the worker (dsa-slurm) canceled this analysis.',
  deletion: 'Its job was deleted in Girder.',
};

/** What a task is: an analysis, or images that are to be added. */
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

/** Finds out whose Girder job this is, for screens. Nothing waits for it and nothing depends on it. */
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
    services.log.debug({ run: run.id, why: errorLine(error) }, 'the owner of the Girder job is not known');
  }
}
