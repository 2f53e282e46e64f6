import { coerceError, errorLine } from '../../base/errors.js';
import { rm } from '../../base/network-fs.js';
import type { TaskChild, TaskResult } from '../../celery/messages/task.js';
import { tokenLifeMs } from '../../girder/api/access-token.js';
import { expiredAdvice, GirderError } from '../../girder/api/girder-error.js';
import { cleanLog } from '../../girder/jobs/log-buffer.js';
import { neverStarted, type NeverStarted } from '../../girder/canvas/follow-ups.js';
import { removeLeftovers, removeStaged } from '../../girder/transfer/stage-inputs.js';
import { jobStatus } from '../../girder/jobs/transitions.js';
import { lastLinesMark, quotedLength } from '../reporting/failure-reason.js';
import type { CancelSource, Run } from '../run-state/run.js';
import type { StageContext, WorkerServices } from '../worker-services.js';
import { publishFollowUps } from './publish-follow-ups.js';

/**
 * Tells Girder, and a caller that waits, how the run came out; then removes what was made for it. Girder is told
 * until it has heard: only an answer that no patience will change (the Girder job is gone, its token has expired), or
 * a patience that is used up, ends the attempt, and the run then says so.
 * @param how `isResumed`: the outcome was decided by a worker that is gone, which may have told a part of it
 */
export async function reportOutcome(
  context: StageContext,
  run: Run,
  services: WorkerServices,
  { isResumed }: { isResumed: boolean },
): Promise<void> {
  const { outcome, reason } = run;
  if (outcome === null) throw new Error('a run is finished only once its outcome is decided');
  const log = services.log.child({ run: run.id });
  let untold: string | null = null;
  let isTold = true;
  let isWanted = true;
  try {
    if (reason !== null) await sayWhy(reason, context, { isResumed });
    const status = await context.girderJob.finish(outcome, context.stopping);
    // canceled at the last moment: nothing more is to be started
    isWanted = status !== jobStatus.canceled;
  } catch (error) {
    context.stopping.throwIfAborted();
    isTold = false;
    untold = run.cancel?.by === 'deletion' ? null : whyUntold(error, reason);
    if (untold !== null) log.error({ outcome, why: untold }, 'Girder could not be told of the outcome');
  }
  const children = isWanted ? await publishFollowUps(context, run, services) : [];
  await publishResults(run, children, services).catch((error: unknown) => {
    log.warn({ why: coerceError(error).message }, 'the Celery result was not published');
  });
  await cleanUp(run, services);
  if (outcome !== 'succeeded' && run.refusal === null) {
    await services.messages.keep(run.task, run.acceptedAt + tokenLifeMs);
  }
  if (isTold) await context.girderJob.verifyOutcome(outcome, context.stopping);
  context.stopping.throwIfAborted();
  await services.runStore.record(run.id, {
    type: 'finished',
    told: isTold,
    ...(untold === null ? {} : { why: untold }),
  });
  const why = reason?.split('\n', 1)[0];
  log.info({ outcome, job: run.jobId, told: isTold, ...(why === undefined ? {} : { why }) }, 'finished');
}

/** Girder's words on an expired token are said once: often it is what the run has failed of. */
function whyUntold(error: unknown, reason: string | null): string {
  const isExpired = error instanceof GirderError && error.access === 'expired';
  return isExpired && reason?.includes(expiredAdvice) === true
    ? 'its token has expired, too.'
    : errorLine(error);
}

/**
 * Writes the reason into the log, unless an earlier worker, which died before it was done, has; without the last lines
 * of the job where they stand right above. What cannot be found out is rather said twice than not at all.
 */
async function sayWhy(
  reason: string,
  { girderJob, stopping }: StageContext,
  { isResumed }: { isResumed: boolean },
): Promise<void> {
  const [why = '', lastLines] = reason.split(lastLinesMark);
  let log = '';
  if (isResumed || lastLines !== undefined) {
    await girderJob.flush(stopping);
    log = await girderJob.read(stopping).then(
      (document) => document.log?.join('') ?? '',
      () => '',
    );
  }
  if (isResumed && log.includes(cleanLog(`\n${why}`))) return;
  const isAbove = lastLines !== undefined && endsWithLines(log, lastLines);
  girderJob.log(`\n${isAbove ? why : reason}\n`);
}

/** Blank lines, blanks at the edges and what was cut off long lines do not count. */
function endsWithLines(log: string, lines: string): boolean {
  const wanted = linesOf(lines);
  return wanted.length > 0 && linesOf(log).slice(-wanted.length).join('\n') === wanted.join('\n');
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim().slice(0, quotedLength - 10))
    .filter((line) => line !== '');
}

/** Celery's word for a cancel (contract, section h). */
const wordOf = {
  girder: 'revoked',
  operator: 'revoked',
  celery: 'revoked',
  termination: 'terminated',
  expiry: 'expired',
  deletion: 'revoked',
} as const satisfies Record<CancelSource, string>;

async function publishResults(
  run: Run,
  children: readonly TaskChild[],
  services: WorkerServices,
): Promise<void> {
  const result = resultOf(run, children);
  await services.publishResult(run.task, result);
  if (result.status !== 'FAILURE' || run.task.ignoreResult) return;
  // whoever waits for the last task of the chain would wait for ever
  for (const { id, replyTo } of tasksNeverStarted(run)) {
    await services.publishResult({ id, replyTo, correlationId: null, ignoreResult: false }, result);
  }
}

function tasksNeverStarted({ task, refusal }: Run): NeverStarted[] {
  if (refusal !== null) return [];
  try {
    return neverStarted(task);
  } catch {
    return [];
  }
}

function resultOf({ outcome, reason, cancel }: Run, children: readonly TaskChild[]): TaskResult {
  switch (outcome) {
    case 'succeeded':
      return { status: 'SUCCESS', children };
    case 'canceled':
      // without a cancel of ours, somebody ended the job on the cluster
      return { status: 'REVOKED', reason: cancel === null ? 'terminated' : wordOf[cancel.by] };
    default:
      return { status: 'FAILURE', message: reason ?? 'The analysis failed.' };
  }
}

async function cleanUp(run: Run, { settings, log }: WorkerServices): Promise<void> {
  const { outcome, staged, submission } = run;
  try {
    if (submission !== null) await rm(submission.exitRecord, { force: true });
    for (const file of Object.values(submission?.streams ?? {})) await rm(file, { force: true });
    // Girder has the whole log of a run that went well; that of any other stays for those who look into it
    if (submission !== null && outcome === 'succeeded') await rm(submission.logFile, { force: true });
    // a worker that died while it staged has left what the journal does not know
    if (staged === null) await removeLeftovers(settings.dirs.tmp, run.id);
    else if (!(settings.worker.keepFiles && outcome === 'failed')) await removeStaged(staged);
  } catch (error) {
    log.warn({ run: run.id, why: errorLine(error) }, 'temporary files were left behind');
  }
}
