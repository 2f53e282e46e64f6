import type { GirderJob } from '../../girder/jobs/job.js';
import { readAnalysis } from '../../girder/protocol/read-analysis.js';
import type { JobRow } from '../../slurm/job.js';
import { readExitRecord, type ExitRecord } from '../../slurm/exit-record.js';
import { endByRecord } from '../../slurm/job-end.js';
import { outcomeOf, phaseOf } from '../../slurm/states.js';
import { followStreams } from '../logs/follow-streams.js';
import { followLog } from '../logs/follow-log.js';
import { waitForOutputFiles } from './wait-for-output-files.js';
import { reconcileLog } from '../logs/reconcile-log.js';
import { currentRun, type EndedRun, type SubmittedRun } from '../run-state/run-milestones.js';
import type { RecordedJobEnd } from '../run-state/run.js';
import type { Services, StageContext } from '../worker-services.js';
import { createQueueStatusReporter, type QueueStatusReporter } from '../reporting/queue-status-reporter.js';

/** How long an unknown job is not considered lost: its exit record may be delayed by a slow network file system. */
const lostAfterMs = 90_000;
/** How long accounting is queried for the end of a job before the exit record is trusted instead. */
const recordDoubtMs = 10 * 60_000;
/** Interval between queries for a job whose end neither the controller nor accounting knows. */
const askAgainMs = 15_000;
/** Longest interval between two scancel calls for one job; a job may need its `KillWait` (30 s) to end. */
const cancelAgainMs = 40_000;

type MonitorServices = Services<
  'runStore' | 'clock' | 'log' | 'settings' | 'executor' | 'submitScript' | 'girderSetup'
>;

/**
 * Follows the job and its log until Slurm reports the end of the job. While Slurm does not answer, this waits. A cancel
 * runs scancel and then waits for the end as for any other job.
 *
 * Thousands of runs may wait here at a time, so what each of them holds is kept small: one signal, and no decoded task.
 */
export async function monitorJob(
  context: StageContext,
  submitted: SubmittedRun,
  services: MonitorServices,
): Promise<EndedRun> {
  const { runStore } = services;
  const { signal, stopping } = context;
  const ended = new AbortController();
  const noteEnded = (): void => ended.abort();
  stopping.addEventListener('abort', noteEnded, { once: true });
  if (stopping.aborted) noteEnded();
  // a job that waits has no log: nothing need look for one
  const { promise: running, resolve: noteRunning } = Promise.withResolvers<void>();
  if (submitted.stage === 'running') noteRunning();
  const { promise: unwanted, resolve: noteUnwanted } = Promise.withResolvers<void>();
  const noteCanceled = (): void => noteUnwanted();
  signal.addEventListener('abort', noteCanceled, { once: true });
  if (signal.aborted || submitted.brokenStream !== null) noteUnwanted();
  const reconciled = reconcileLog(context, services);
  const log = Promise.all([reconciled, running]).then(async () => followLog(context, services, ended.signal));
  const streams = reconciled.then(async () =>
    followStreams(context, readAnalysis(submitted.task), services, ended.signal, noteUnwanted),
  );
  // awaited below; until then a rejection must not count as unhandled
  streams.catch(() => undefined);
  const cancel = cancelWhenUnwanted(submitted, unwanted, services, ended.signal);
  try {
    const reported = await waitForEnd(context, submitted, services, noteRunning);
    noteRunning();
    await waitForOutputFiles(
      context,
      readAnalysis(submitted.task),
      { ...currentRun(runStore, submitted), end: reported },
      services,
    );
    noteEnded();
    await Promise.all([log, streams]);
    stopping.throwIfAborted();
    await noteOperatorCancel(submitted, services);
    const run = currentRun(runStore, submitted);
    const end = await withRecord(run, reported);
    await runStore.record(run.id, { type: 'job-ended', end });
    return { ...currentRun(runStore, run), end };
  } finally {
    stopping.removeEventListener('abort', noteEnded);
    signal.removeEventListener('abort', noteCanceled);
    noteEnded();
    noteRunning();
    noteUnwanted();
    await Promise.allSettled([log, streams, cancel]);
  }
}

/**
 * An operator's cancel is journaled once scancel has succeeded, and the job may end before that: without this the run would have
 * been canceled by nobody, or have failed.
 */
async function noteOperatorCancel(
  submitted: SubmittedRun,
  { executor, runStore }: Pick<MonitorServices, 'executor' | 'runStore'>,
): Promise<void> {
  await executor.cancelSettled(submitted.jobId);
  const { id, jobId, cancel, brokenStream } = currentRun(runStore, submitted);
  if (cancel !== null || brokenStream !== null || executor.canceledAt(jobId) === null) return;
  await runStore.record(id, { type: 'cancel-requested', by: 'operator' });
}

/**
 * Adds what only the exit record knows: what the job used, and that its analysis was signaled because the time limit was near. If
 * the batch script exited before Slurm ended the job, Slurm knows only the exit code.
 */
async function withRecord(
  { cancel, jobId, submission }: SubmittedRun,
  end: RecordedJobEnd,
): Promise<RecordedJobEnd> {
  const record = await readExitRecord(submission.exitRecord);
  if (record === null || record.jobId !== jobId) return end;
  const used = record.usage === null ? end : { ...end, usage: record.usage };
  if (cancel !== null || !record.reachedLimit || !['COMPLETED', 'FAILED'].includes(end.state.base))
    return used;
  return { ...used, outcome: 'failed', state: { base: 'TIMEOUT', flags: [] }, toldBy: 'record' };
}

async function waitForEnd(
  { id, girderJob, stopping }: StageContext,
  submitted: SubmittedRun,
  services: MonitorServices,
  onRunning: () => void,
): Promise<RecordedJobEnd> {
  const { tracker, owner } = services.executor;
  const current = (): SubmittedRun => currentRun(services.runStore, submitted);
  const wasShown = submitted.waitingReason !== null;
  const message = createQueueStatusReporter(
    girderJob,
    owner,
    services.clock,
    () => current().progress,
    wasShown,
  );
  let lostSince: number | null = null;
  let unrecordedSince: number | null = null;
  let unrecordedAskedAt = 0;
  let soughtOtherAt: number | null = null;
  // a poll that began earlier may not know what happened since
  let answersCountFrom = services.clock.monotonic();
  let judged: number | null = null;
  let isGone = false;
  if (!services.submitScript.writesBeginRecord) tracker.pollSoon();
  /** Follows the job that Slurm has under the run's name, if sbatch printed the id of another one. */
  const followOther = async (run: SubmittedRun, found: string | undefined): Promise<boolean> => {
    if (found === undefined || found === run.jobId) return false;
    services.log.error(
      { run: id, job: run.jobId, actual: found },
      'the job of this run has another id than sbatch printed',
    );
    await services.runStore.record(id, { type: 'submitted', jobId: found });
    lostSince = null;
    unrecordedSince = null;
    soughtOtherAt = null;
    answersCountFrom = services.clock.monotonic();
    tracker.pollSoon();
    return true;
  };
  using news = followJob(submitted, services, stopping);
  for (;;) {
    const { begunAs, record } = await news.next();
    stopping.throwIfAborted();
    const run = current();
    const { jobId, submission } = run;
    if (record?.jobId === jobId) {
      if (isWholeStory(record, run)) {
        message.ended();
        const { outcome, state, exitCode, reason, how } = endByRecord(record);
        return { outcome, state, exitCode, reason, toldBy: how };
      }
      // Slurm knows more, such as that the memory was exhausted
      tracker.pollSoon();
    }
    if (begunAs === jobId && run.stages.every(({ stage }) => stage !== 'running')) {
      answersCountFrom = services.clock.monotonic();
      girderJob.started();
      message.started();
      await services.runStore.record(id, { type: 'started' });
      onRunning();
    }
    const askedAt = tracker.askedAt();
    // an answer that was judged before says nothing new
    if (askedAt === null || askedAt <= answersCountFrom || askedAt === judged) continue;
    judged = askedAt;
    const row = tracker.row(jobId);
    // Slurm may have reused the id for another job
    if (row !== undefined && row.key === submission.key) {
      const end = await readRow(run, row, { girderJob, message }, services);
      if (current().stage === 'running') onRunning();
      if (end !== 'ask') {
        lostSince = null;
        unrecordedSince = null;
        if (end === null) continue;
        message.ended();
        return end;
      }
    }
    const canceledAt = services.executor.canceledAt(jobId);
    const { rows, problem } = tracker.view();
    const isMissing = problem === null && canceledAt !== null && askedAt > canceledAt && row === undefined;
    // under another id than sbatch printed it may be there, and is to be canceled
    if (isMissing && !rows.some(({ key }) => key === submission.key)) {
      if (isGone) {
        // after a cancel of thousands, a question for each would take minutes, and could change nothing
        message.ended();
        const state = { base: 'CANCELLED', flags: [] };
        const { stateSource } = services.executor;
        return { outcome: 'canceled', state, exitCode: null, reason: '', toldBy: stateSource };
      }
      isGone = true;
      tracker.pollSoon();
      continue;
    }
    isGone = false;
    const now = services.clock.monotonic();
    if (unrecordedSince !== null && now - unrecordedAskedAt < askAgainMs) continue;
    const { key, mark, at, exitRecord } = submission;
    const findByName = async () => services.executor.find({ key, mark, since: at });
    const trustRecord =
      // the outcome of a canceled run does not depend on the record
      run.cancel !== null || (unrecordedSince !== null && now - unrecordedSince >= recordDoubtMs);
    const answer = await services.executor.resolveEnd({ jobId, key, exitRecord, trustRecord });
    if (answer.kind !== 'lost') lostSince = null;
    if (answer.kind !== 'unrecorded' && answer.kind !== 'lost') unrecordedSince = null;
    switch (answer.kind) {
      case 'ended': {
        message.ended();
        const { outcome, state, exitCode, reason, how } = answer;
        return { outcome, state, exitCode, reason, toldBy: how };
      }
      case 'alive':
        break;
      case 'lost': {
        lostSince ??= now;
        if (now - lostSince < lostAfterMs) break;
        const found = await findByName();
        if (found.kind === 'silence') break;
        const other = found.kind === 'found' ? found.jobId : (await readExitRecord(exitRecord))?.jobId;
        if (await followOther(run, other)) break;
        const state = { base: '', flags: [] };
        return { outcome: 'failed', state, exitCode: null, reason: answer.why, toldBy: 'nobody' };
      }
      case 'unrecorded':
        if (unrecordedSince === null)
          services.log.warn(
            { run: id, job: jobId, why: answer.why },
            'accounting does not know the end of the job yet; asking again',
          );
        unrecordedSince ??= now;
        unrecordedAskedAt = now;
        // accounting that knows nothing of this id for so long may know the job under another one
        if (now - (soughtOtherAt ?? unrecordedSince) >= lostAfterMs) {
          soughtOtherAt = now;
          const found = await findByName();
          if (found.kind === 'found') await followOther(run, found.jobId);
        }
        break;
      case 'unknown':
        services.log.warn(
          { run: id, job: jobId, why: answer.why },
          'could not find out the state of the job',
        );
    }
  }
}

/** Applies a row of the tracker. Returns the end of the job, null if it goes on, `ask` if the row does not decide. */
async function readRow(
  run: SubmittedRun,
  row: JobRow,
  { girderJob, message }: { girderJob: GirderJob; message: QueueStatusReporter },
  services: Services<'runStore' | 'executor'>,
): Promise<RecordedJobEnd | null | 'ask'> {
  const phase = phaseOf(row.state, row.reason);
  switch (phase) {
    case 'waiting':
    case 'held':
    case 'starting': {
      const reason = row.reason === '' || row.reason === 'None' ? null : row.reason;
      // only the return from `running` must be durable: the log offsets depend on it
      if (run.stage === 'running') await services.runStore.record(run.id, { type: 'waiting', reason });
      else services.runStore.recordVolatile(run.id, { type: 'waiting', reason });
      message.waiting(row);
      return null;
    }
    case 'running':
    case 'paused':
      girderJob.started();
      if (phase === 'paused') message.paused(row);
      else message.started();
      if (run.stage !== 'running') await services.runStore.record(run.id, { type: 'started' });
      return null;
    case 'ended': {
      const outcome = outcomeOf(row.state);
      if (outcome === null || outcome === 'depends') return 'ask';
      return {
        outcome,
        state: row.state,
        exitCode: row.exitCode,
        reason: row.reason,
        toldBy: services.executor.stateSource,
      };
    }
    case 'ending':
    case 'unknown':
      return null;
  }
}

/** What has happened to a job since it was last asked for. */
interface JobNews {
  /** The id of the job whose analysis has begun. */
  begunAs: string | null;
  record: ExitRecord | null;
}

/** Follows a run's job: its records, and the tracker's polls, whether they succeed or fail. */
function followJob(
  { submission }: SubmittedRun,
  { executor }: Services<'executor'>,
  stopping: AbortSignal,
): Disposable & { next(): Promise<JobNews> } {
  const nothing: JobNews = { begunAs: null, record: null };
  let news: JobNews | null = null;
  let wake: (() => void) | null = null;
  const add = (more: Partial<JobNews>): void => {
    news = { ...(news ?? nothing), ...more };
    wake?.();
  };
  const noteNothing = (): void => add({});
  const endAnswers = executor.tracker.onAnswer(noteNothing);
  const endRecords = executor.records.watch(submission.key, (record) =>
    add(record.kind === 'begin' ? { begunAs: record.jobId } : { record: record.record }),
  );
  stopping.addEventListener('abort', noteNothing, { once: true });
  return {
    /** Resolves with the next news, or when the worker stops. */
    async next() {
      if (news === null && !stopping.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const all = news ?? nothing;
      news = null;
      return all;
    },
    [Symbol.dispose]() {
      endAnswers();
      endRecords();
      stopping.removeEventListener('abort', noteNothing);
    },
  };
}

/**
 * Whether the exit record alone decides how the job ended. Slurm is asked where it may know more: a cancel, a time limit, memory
 * that was exhausted, or another attempt of a job that was requeued.
 */
function isWholeStory({ undisturbed, reachedLimit, usage }: ExitRecord, run: SubmittedRun): boolean {
  const wasRequeued = run.stages.some(
    ({ stage }, index) => stage === 'running' && run.stages[index + 1]?.stage === 'queued',
  );
  return (
    undisturbed &&
    !reachedLimit &&
    (usage?.oomKills ?? 0) === 0 &&
    run.cancel === null &&
    run.brokenStream === null &&
    !wasRequeued
  );
}

/**
 * Runs scancel once the run is canceled or one of its streams is broken, and again until the job has ended (`unwanted` resolves
 * then, too): scancel may fail, and Slurm may requeue a job that was ending when scancel came.
 */
async function cancelWhenUnwanted(
  submitted: SubmittedRun,
  unwanted: Promise<void>,
  services: MonitorServices,
  ended: AbortSignal,
): Promise<void> {
  await unwanted;
  let wait = 1_000;
  while (!ended.aborted) {
    const { id, jobId, cancel, brokenStream } = currentRun(services.runStore, submitted);
    if (cancel === null && brokenStream === null) return;
    // an operator's cancel has reached Slurm already, in one scancel for many runs
    const canceledAt = services.executor.canceledAt(jobId);
    const since = canceledAt === null ? cancelAgainMs : services.clock.monotonic() - canceledAt;
    if (since < cancelAgainMs) {
      await services.clock.sleep(cancelAgainMs - since, ended);
      continue;
    }
    const answer = await services.executor.cancel([jobId]);
    if (answer.ok) services.executor.tracker.pollSoon();
    else
      services.log.warn(
        { run: id, job: jobId, message: answer.message },
        'the job could not be canceled; trying again',
      );
    await services.clock.sleep(answer.ok ? cancelAgainMs : wait, ended);
    wait = Math.min(wait * 2, cancelAgainMs);
  }
}
