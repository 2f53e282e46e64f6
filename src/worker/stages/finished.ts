import { coerceError, errorLine } from '../../base/errors.js';
import { rm } from '../../base/files/network-fs.js';
import type { TaskChild, TaskResult } from '../../celery/messages/task.js';
import { tokenLifeMs } from '../../girder/api/access-token.js';
import { expiredAdvice, GirderError } from '../../girder/api/girder-error.js';
import { cleanLog } from '../../girder/jobs/log-buffer.js';
import { neverStarted, type NeverStarted } from '../../girder/canvas/follow-ups.js';
import { removeLeftovers, removeStaged } from '../../girder/transfer/stage-inputs.js';
import { beginRecordFile } from '../../slurm/exit-record.js';
import { jobStatus } from '../../girder/jobs/transitions.js';
import { lastLinesMark, quotedLength } from '../reporting/failure-reason.js';
import type { DecidedRun } from '../run-state/run-milestones.js';
import type { CancelSource, Run } from '../run-state/run.js';
import type { Services, StageContext } from '../worker-services.js';
import { publishFollowUps, type FollowUpServices } from './publish-follow-ups.js';

/**
 * Reports the outcome of the run to Girder and publishes its Celery result, then removes its temporary files. Reporting
 * is retried until Girder confirms it, gives a final refusal (the Girder job is gone, its token has expired), or the
 * retry time is used up; the run records a failure to report.
 * @param options `isResumed`: an earlier worker decided the outcome and may have reported a part of it
 */
export async function reportOutcome(
  context: StageContext,
  run: DecidedRun,
  services: FollowUpServices & Services<'settings' | 'messages' | 'publishResult'>,
  { isResumed }: { isResumed: boolean },
): Promise<void> {
  const { outcome, reason } = run;
  const log = services.log.child({ run: run.id });
  let reportError: string | null = null;
  let isReported = true;
  let mayFollowUp = true;
  try {
    if (reason !== null) await logReason(reason, context, { isResumed });
    const status = await context.girderJob.finish(outcome, context.stopping);
    // canceled at the last moment: no follow-up tasks
    mayFollowUp = status !== jobStatus.canceled;
  } catch (error) {
    context.stopping.throwIfAborted();
    isReported = false;
    reportError = run.cancel?.by === 'deletion' ? null : describeReportError(error, reason);
    if (reportError !== null)
      log.error({ outcome, why: reportError }, 'could not report the outcome to Girder');
  }
  const children = mayFollowUp ? await publishFollowUps(context, run, services) : [];
  await publishResults(run, children, services).catch((error: unknown) => {
    log.warn({ why: coerceError(error).message }, 'could not publish the Celery result');
  });
  await cleanUp(run, services);
  if (outcome !== 'succeeded' && run.refusal === null) {
    await services.messages.keep(run.task, run.acceptedAt + tokenLifeMs);
  }
  if (isReported) await context.girderJob.verifyOutcome(outcome, context.stopping);
  context.stopping.throwIfAborted();
  await services.runStore.record(run.id, {
    type: 'finished',
    told: isReported,
    ...(reportError === null ? {} : { why: reportError }),
  });
  const why = reason?.split('\n', 1)[0];
  log.info({ outcome, job: run.jobId, told: isReported, ...(why === undefined ? {} : { why }) }, 'finished');
}

/** Does not repeat the advice on an expired token, which often is the reason of the failure itself. */
function describeReportError(error: unknown, reason: string | null): string {
  const isExpired = error instanceof GirderError && error.access === 'expired';
  return isExpired && reason?.includes(expiredAdvice) === true
    ? 'its token has expired, too.'
    : errorLine(error);
}

/**
 * Writes the reason to the Girder log, unless an earlier worker has done so before it died. Leaves out the last lines of
 * the job if the log ends with them. If Girder does not return its log, a repeated reason is better than a missing one.
 */
async function logReason(
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

/** Ignores blank lines, surrounding white space and the cut-off part of long lines. */
function endsWithLines(log: string, lines: string): boolean {
  const expected = linesOf(lines);
  return expected.length > 0 && linesOf(log).slice(-expected.length).join('\n') === expected.join('\n');
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim().slice(0, quotedLength - 10))
    .filter((line) => line !== '');
}

/** Celery's reason for a revoked task (contract, section h). */
const revokeReasons = {
  girder: 'revoked',
  operator: 'revoked',
  celery: 'revoked',
  termination: 'terminated',
  expiry: 'expired',
  deletion: 'revoked',
} as const satisfies Record<CancelSource, string>;

async function publishResults(
  run: DecidedRun,
  children: readonly TaskChild[],
  services: Services<'publishResult'>,
): Promise<void> {
  const result = resultOf(run, children);
  await services.publishResult(run.task, result);
  if (result.status !== 'FAILURE' || run.task.ignoreResult) return;
  // otherwise a caller that waits for the last task of the chain would wait forever
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

function resultOf({ outcome, reason, cancel }: DecidedRun, children: readonly TaskChild[]): TaskResult {
  switch (outcome) {
    case 'succeeded':
      return { status: 'SUCCESS', children };
    case 'canceled':
      // no cancel request: the job was canceled on the cluster
      return { status: 'REVOKED', reason: cancel === null ? 'terminated' : revokeReasons[cancel.by] };
    case 'failed':
      return { status: 'FAILURE', message: reason ?? 'The analysis failed.' };
  }
}

async function cleanUp(run: DecidedRun, { settings, log }: Services<'settings' | 'log'>): Promise<void> {
  const { outcome, staged, submission } = run;
  try {
    if (submission !== null) {
      await rm(submission.exitRecord, { force: true });
      await rm(beginRecordFile(submission.exitRecord), { force: true });
    }
    for (const file of Object.values(submission?.streams ?? {})) await rm(file, { force: true });
    // Girder has the complete log of a successful run; others are kept for troubleshooting
    if (submission !== null && outcome === 'succeeded') await rm(submission.logFile, { force: true });
    // a worker that died while staging left files that the journal does not list
    if (staged === null) await removeLeftovers(settings.dirs.tmp, run.id);
    else if (!(settings.worker.keepFiles && outcome === 'failed')) await removeStaged(staged);
  } catch (error) {
    log.warn({ run: run.id, why: errorLine(error) }, 'could not remove temporary files');
  }
}
