import type { Analysis } from '../../girder/protocol/analysis.js';
import type { GirderJob } from '../../girder/jobs/job.js';
import type { JobRow } from '../../slurm/job.js';
import { readExitRecord } from '../../slurm/exit-record.js';
import { outcomeOf, phaseOf } from '../../slurm/states.js';
import { followStreams } from '../logs/follow-streams.js';
import { followLog } from '../logs/follow-log.js';
import { waitForOutputFiles } from './wait-for-output-files.js';
import { reconcileLog } from '../logs/reconcile-log.js';
import type { JobEnd, Run } from '../run-state/run.js';
import type { StageContext, WorkerServices } from '../worker-services.js';
import { createQueueStatusReporter, type QueueStatusReporter } from '../reporting/queue-status-reporter.js';

/** A job that Slurm no longer knows may still have its exit record on the way over a slow network file system. */
const lostAfterMs = 90_000;
/** How long the accounting is asked for an end that it does not know before the exit record is believed. */
const recordDoubtMs = 10 * 60_000;
/** Between two questions about one job that neither controller nor accounting know to have ended. */
const askAgainMs = 15_000;
/** Between two calls of scancel for one job, at most; a job may need its `KillWait` (30 s) to end. */
const cancelAgainMs = 40_000;

/**
 * Follows the job and its log until Slurm says that the job has ended. Silence of Slurm, whatever its reason, only
 * makes this wait. A cancel ends the job with scancel and then waits for its end like for any other.
 */
export async function monitorJob(
  context: StageContext,
  analysis: Analysis,
  services: WorkerServices,
): Promise<Run> {
  const over = new AbortController();
  const broken = new AbortController();
  const untilEnd = AbortSignal.any([over.signal, context.stopping]);
  const settled = reconcileLog(context, services);
  const log = settled.then(async () => followLog(context, services, untilEnd));
  const streams = settled.then(async () =>
    followStreams(context, analysis, services, untilEnd, () => broken.abort()),
  );
  // awaited further down; until then nobody would hear of its end
  streams.catch(() => undefined);
  if (mustGet(services, context.id).brokenStream !== null) broken.abort();
  const unwanted = AbortSignal.any([context.signal, broken.signal]);
  const cancel = cancelWhenUnwanted(context.id, unwanted, services, untilEnd);
  try {
    const ended = await waitForEnd(context, services);
    await waitForOutputFiles(context, analysis, ended, services);
    over.abort();
    await Promise.all([log, streams]);
    context.stopping.throwIfAborted();
    const end = await asTimeout(mustGet(services, context.id), ended);
    return await services.runStore.record(context.id, { type: 'job-ended', end });
  } finally {
    over.abort();
    await Promise.allSettled([log, streams, cancel]);
  }
}

/**
 * The end of a job whose analysis was asked to end because the time limit was near. If its batch script ended before Slurm
 * ended the job, Slurm knows only the exit code, and the exit record has the reason.
 */
async function asTimeout({ cancel, jobId, submission }: Run, end: JobEnd): Promise<JobEnd> {
  if (cancel !== null || submission === null || !['COMPLETED', 'FAILED'].includes(end.state.base)) return end;
  const record = await readExitRecord(submission.exitRecord);
  if (record === null || record.jobId !== jobId || !record.reachedLimit) return end;
  return { ...end, outcome: 'failed', state: { base: 'TIMEOUT', flags: [] }, toldBy: 'record' };
}

async function waitForEnd(
  { id, girderJob, stopping }: StageContext,
  services: WorkerServices,
): Promise<JobEnd> {
  const { tracker, owner } = services.executor;
  const wasShown = mustGet(services, id).waitingReason !== null;
  const message = createQueueStatusReporter(
    girderJob,
    owner,
    services.clock,
    () => mustGet(services, id).progress,
    wasShown,
  );
  let lostSince: number | null = null;
  let unrecordedSince: number | null = null;
  let unrecordedAskedAt = 0;
  tracker.pollSoon();
  for (;;) {
    const lastAnswerAt = tracker.view().at;
    await nextAnswer(services, stopping);
    stopping.throwIfAborted();
    const run = mustGet(services, id);
    const { jobId, submission } = run;
    if (jobId === null || submission === null) throw new Error('a job is watched only once it is submitted');
    const row = tracker.row(jobId);
    // a number that Slurm has given to somebody else's job since is not ours
    if (row !== undefined && row.key === submission.key) {
      const end = await readRow(run, row, { girderJob, message }, services);
      if (end !== 'ask') {
        lostSince = null;
        unrecordedSince = null;
        if (end === null) continue;
        message.over();
        return end;
      }
    } else if (tracker.view().at === lastAnswerAt) {
      // the last question went unanswered: that the job is not in an old answer says nothing
      continue;
    }
    const now = services.clock.monotonic();
    if (unrecordedSince !== null && now - unrecordedAskedAt < askAgainMs) continue;
    const { key, exitRecord } = submission;
    const trustRecord =
      // a canceled run is canceled whatever the record says
      run.cancel !== null || (unrecordedSince !== null && now - unrecordedSince >= recordDoubtMs);
    const answer = await services.executor.resolveEnd({ jobId, key, exitRecord, trustRecord });
    if (answer.kind !== 'lost') lostSince = null;
    if (answer.kind !== 'unrecorded' && answer.kind !== 'lost') unrecordedSince = null;
    switch (answer.kind) {
      case 'ended': {
        message.over();
        const { outcome, state, exitCode, reason, how } = answer;
        return { outcome, state, exitCode, reason, toldBy: how };
      }
      case 'alive':
        break;
      case 'lost': {
        lostSince ??= now;
        if (now - lostSince < lostAfterMs) break;
        const found = await findOther(run, services);
        if (found === 'silence') break;
        const { jobId: actual } = found;
        if (actual !== null) {
          services.log.error(
            { run: id, job: jobId, actual },
            'Slurm knows the job of this run by another number',
          );
          await services.runStore.record(id, { type: 'submitted', jobId: actual });
          lostSince = null;
          tracker.pollSoon();
          break;
        }
        const state = { base: '', flags: [] };
        return { outcome: 'failed', state, exitCode: null, reason: answer.why, toldBy: 'nobody' };
      }
      case 'unrecorded':
        if (unrecordedSince === null)
          services.log.warn({ run: id, job: jobId, why: answer.why }, 'asking the accounting again');
        unrecordedSince ??= now;
        unrecordedAskedAt = now;
        break;
      case 'unknown':
        services.log.warn({ run: id, job: jobId, why: answer.why }, 'cannot tell how it is with the job');
    }
  }
}

/**
 * The number under which Slurm knows the job of a run whose own number it does not know: what sbatch printed may have been
 * a number of somebody else's. Null if there is none.
 */
async function findOther(
  run: Run,
  { executor }: WorkerServices,
): Promise<{ jobId: string | null } | 'silence'> {
  const { submission, jobId } = run;
  if (submission === null) return { jobId: null };
  const { key, mark, at, exitRecord } = submission;
  const answer = await executor.find({ key, mark, since: at });
  if (answer.kind === 'silence') return 'silence';
  const found = answer.kind === 'found' ? answer.jobId : (await readExitRecord(exitRecord))?.jobId;
  return { jobId: found === undefined || found === jobId ? null : found };
}

/** Takes a row of the tracker in: the end if it tells one, null if the job goes on, `ask` if more must be asked. */
async function readRow(
  run: Run,
  row: JobRow,
  { girderJob, message }: { girderJob: GirderJob; message: QueueStatusReporter },
  services: WorkerServices,
): Promise<JobEnd | null | 'ask'> {
  const phase = phaseOf(row.state, row.reason);
  switch (phase) {
    case 'waiting':
    case 'held':
    case 'starting': {
      const reason = row.reason === '' || row.reason === 'None' ? null : row.reason;
      // only the return from `running` must not be lost: what was sent of the log counts on it
      if (run.stage === 'running') await services.runStore.record(run.id, { type: 'waiting', reason });
      else services.runStore.recordVolatile(run.id, { type: 'waiting', reason });
      message.waits(row);
      return null;
    }
    case 'running':
    case 'paused':
      girderJob.started();
      if (phase === 'paused') message.pauses(row);
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

/** Resolves with the tracker's next answer, good or bad. */
async function nextAnswer({ executor }: WorkerServices, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const stop = executor.tracker.onAnswer(done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
    function done(): void {
      stop();
      signal.removeEventListener('abort', done);
      resolve();
    }
  });
}

/**
 * Runs scancel once the run is to be canceled or has lost one of its streams, and again for as long as the job is not over: scancel may fail, and Slurm
 * may put a job back into the queue that was ending when scancel came.
 */
async function cancelWhenUnwanted(
  id: string,
  unwanted: AbortSignal,
  services: WorkerServices,
  over: AbortSignal,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const either = AbortSignal.any([unwanted, over]);
    if (either.aborted) resolve();
    else either.addEventListener('abort', () => resolve(), { once: true });
  });
  let wait = 1_000;
  while (!over.aborted) {
    const { jobId, cancel, brokenStream } = mustGet(services, id);
    if (jobId === null || (cancel === null && brokenStream === null)) return;
    // an operator's cancel has already reached Slurm together with those of other runs
    const canceledAt = services.executor.canceledAt(jobId);
    const since = canceledAt === null ? cancelAgainMs : services.clock.monotonic() - canceledAt;
    if (since < cancelAgainMs) {
      await services.clock.sleep(cancelAgainMs - since, over);
      continue;
    }
    const answer = await services.executor.cancel([jobId]);
    if (answer.ok) services.executor.tracker.pollSoon();
    else
      services.log.warn(
        { run: id, job: jobId, said: answer.said },
        'the job could not be canceled; trying again',
      );
    await services.clock.sleep(answer.ok ? cancelAgainMs : wait, over);
    wait = Math.min(wait * 2, cancelAgainMs);
  }
}

function mustGet({ runStore }: WorkerServices, id: string): Run {
  const run = runStore.get(id);
  if (run === undefined) throw new Error(`no run ${id} in the run store`);
  return run;
}
