import { constants } from 'node:fs';
import { dirname } from 'node:path';

import { DsaSlurmError } from '../../base/errors.js';
import { makeDirectory } from '../../base/files/make-directory.js';
import { lstat, open, rm, writeFile } from '../../base/files/network-fs.js';
import type { Analysis } from '../../girder/protocol/analysis.js';
import { beginRecordFile, readExitRecord } from '../../slurm/exit-record.js';
import { createOwnerMark } from '../../slurm/job-identity.js';
import { findImage, requireDirectory } from '../job-request/find-image.js';
import { withQueueSlot } from './limit-concurrency.js';
import { acceptedJob, planJob, type PlannedJob, type PlanRequest } from '../job-request/plan.js';
import { commandLines } from '../views/command-lines.js';
import { isSubmitted, isSubmitting, type StagedRun, type SubmittedRun } from '../run-state/run-milestones.js';
import type { Run, RecordedSubmission } from '../run-state/run.js';
import type { ClearResult, WaitingRefusal } from './submit-gate.js';
import type { Services, StageContext } from '../worker-services.js';

/** What the search for a job needs. */
type LookUpServices = Services<'executor' | 'clock' | 'log'>;

type SubmitServices = LookUpServices &
  Services<'runStore' | 'settings' | 'apptainer' | 'girderSlurm' | 'submitScript' | 'submitGate' | 'lanes'>;

/**
 * Finds the job of a run, also if an earlier worker died between the intent and the answer of sbatch.
 * @returns null once it is certain that there is no job
 */
export async function findSubmitted(
  context: StageContext,
  run: Run,
  services: LookUpServices & Services<'runStore'>,
): Promise<SubmittedRun | null> {
  if (!isSubmitting(run)) return null;
  if (isSubmitted(run)) return run;
  const { submission } = run;
  const jobId = await lookUp(submission, submission.at, context, services);
  if (jobId === null) return null;
  return { ...(await services.runStore.record(run.id, { type: 'submitted', jobId })), submission, jobId };
}

/**
 * Submits the run to the executor. Exactly one job results: the intent is journaled before sbatch is called, and when it
 * is unclear whether sbatch created a job, the job is looked up by its key before anything is submitted again. A cancel
 * ends the wait for a slot, but never sbatch itself, so the job that it creates is known and can be canceled.
 */
export async function submitJob(
  context: StageContext,
  analysis: Analysis,
  run: StagedRun,
  services: SubmitServices,
): Promise<SubmittedRun> {
  const { runStore } = services;
  const { staged } = run;
  const girder = await services.girderSlurm.current(context.signal);
  const mark = run.submission?.mark ?? createOwnerMark(services.settings.dirs.state);
  const batch = await prepareBatch({ run, runId: run.id, analysis, staged, girder }, context, services);

  const { target } = batch;
  let submission: RecordedSubmission = {
    ...batch.submission,
    mark,
    target: target.name,
    at: services.clock.now(),
  };

  /** Calls sbatch once, and looks the job up if the answer is unclear. */
  async function submitOnce(): Promise<ClearResult> {
    context.signal.throwIfAborted();
    submission = { ...submission, at: services.clock.now() };
    await rm(submission.exitRecord, { force: true });
    await rm(beginRecordFile(submission.exitRecord), { force: true });
    await runStore.record(run.id, { type: 'submitting', submission });
    const answer = await withQueueSlot(services.lanes.submitting, context.signal, async () =>
      services.executor.submit({ ...batch.request, mark }),
    );
    if (answer.kind !== 'unclear') return answer;
    services.log.warn(
      { run: run.id, why: answer.why },
      'it is unclear whether sbatch created a job; looking it up by its key',
    );
    const jobId = await lookUp(submission, submission.at, context, services);
    return jobId === null
      ? { kind: 'refused', message: answer.why, cause: 'unavailable' }
      : { kind: 'submitted', jobId, cluster: null };
  }

  const answer = await services.submitGate.pass(
    {
      runId: run.id,
      target: target.name,
      isOwnTarget: target.isOwn,
      hasWorked: () => hasWorked(target.name, services),
      onWait: (refusal) => showWaiting(context, refusal, services),
      signal: context.signal,
    },
    submitOnce,
  );
  if (answer.kind === 'submitted') {
    const { jobId } = answer;
    return { ...(await runStore.record(run.id, { type: 'submitted', jobId })), submission, jobId };
  }
  throw new DsaSlurmError('slurm', `Slurm did not accept the job: ${answer.message}`, {
    next: 'Ask the administrator of this worker. The analysis was not started.',
  });
}

/** Whether Slurm has accepted a job with the same partition, account and QOS before. */
function hasWorked(target: string, { runStore }: Services<'runStore'>): boolean {
  for (const { jobId, submission } of runStore.all()) {
    if (jobId !== null && submission?.target === target) return true;
  }
  return false;
}

/** Shows the owner and the operator why the job is not submitted yet. */
function showWaiting(
  { id, girderJob }: StageContext,
  refusal: WaitingRefusal | null,
  services: Services<'runStore' | 'executor'>,
): void {
  if (refusal === null) {
    girderJob.progress({ message: '' });
    return;
  }
  services.runStore.recordVolatile(id, { type: 'waiting', reason: refusal.message });
  girderJob.progress({ message: services.executor.owner.refused(refusal.cause) });
}

/** Queries Slurm until it answers. Returns the job's id, or null once it is certain that no job exists. */
async function lookUp(
  { key, mark, exitRecord }: RecordedSubmission,
  since: number,
  { stopping }: StageContext,
  { executor, clock, log }: LookUpServices,
): Promise<string | null> {
  let wasMissing = false;
  for (let wait = 1_000; ; wait = Math.min(wait * 2, 30_000)) {
    stopping.throwIfAborted();
    const answer = await executor.find({ key, mark, since });
    if (answer.kind === 'found') {
      // a run has one job: keep only the newest
      if (answer.others.length > 0) {
        log.error({ key, others: answer.others }, 'more than one job for a run; canceling the older ones');
        await executor.cancel(answer.others);
      }
      return answer.jobId;
    }
    if (answer.kind === 'none') {
      // a job that Slurm has forgotten has left its exit record; that of an earlier job was removed before sbatch
      if (wasMissing) return (await readExitRecord(exitRecord))?.jobId ?? null;
      wasMissing = true;
      await clock.sleep(executor.visibilityDelayMs, stopping);
    } else {
      log.warn({ key, why: answer.why }, 'no answer about the job; asking again');
      await clock.sleep(wait, stopping);
    }
  }
}

/** Plans the job and creates the files and directories that it needs. */
async function prepareBatch(
  {
    run,
    ...request
  }: Pick<PlanRequest, 'runId' | 'staged' | 'girder'> & { analysis: Analysis; run: StagedRun },
  { girderJob }: StageContext,
  services: Services<'settings' | 'apptainer' | 'submitScript'>,
): Promise<{ submission: Omit<RecordedSubmission, 'at'> } & Pick<PlannedJob, 'request' | 'target'>> {
  const { settings, submitScript } = services;
  const logsDir = requireDirectory(settings.dirs.logs, 'dirs.logs', 'LOGS');
  const { sif, facts } = await findImage(request.analysis.image, services);
  const plan = planJob({ ...request, sif, facts, settings, logsDir, submitScript });
  const job = acceptedJob(plan);
  const { argumentsFile, target } = job;
  if (plan.ignoredOptions.length > 0) {
    const options = plan.ignoredOptions.map((option) => `--slurm_${option}`).join(', ');
    girderJob.log(`Ignored, because this worker runs jobs without Slurm: ${options}\n`);
  }
  for (const directory of job.directories) await makeDirectory(directory, 0o700);
  if (argumentsFile !== null) await writeFile(argumentsFile.path, argumentsFile.content, { mode: 0o600 });
  for (const file of [job.submission.logFile, ...Object.values(job.submission.streams)])
    await createLogFile(file);
  const lines = commandLines(run.task, request.analysis, job, settings);
  return { submission: { ...job.submission, lines }, request: job.request, target };
}

/** Creates a log readable by its owner only, before Slurm would create it: it may contain arguments of the analysis. */
async function createLogFile(path: string): Promise<void> {
  try {
    await makeDirectory(dirname(path), 0o700);
    await openOwnFile(path);
  } catch (cause) {
    throw new DsaSlurmError('files', `The worker cannot write its log directory (setting dirs.logs).`, {
      next: 'Ask the administrator of this worker to make it writable.',
      cause,
    });
  }
}

/** Replaces a link or a file of another user, who may have put it there to read the output of the container. */
async function openOwnFile(path: string): Promise<void> {
  const { O_WRONLY, O_CREAT, O_APPEND, O_EXCL, O_NOFOLLOW } = constants;
  const found = await lstat(path).catch(() => null);
  const isOwn = found?.isFile() === true && found.nlink === 1 && found.uid === process.getuid?.();
  if (found !== null && !isOwn) await rm(path, { force: true });
  const onlyNew = isOwn ? 0 : O_EXCL;
  const file = await open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | onlyNew, 0o600);
  await file.close();
}
