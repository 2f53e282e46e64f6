import { coerceError, errorLine } from '../../base/errors.js';
import { rm } from '../../base/shared-files.js';
import type { TaskChild, TaskResult } from '../../celery/task.js';
import { tokenLifeMs } from '../../girder/access-token.js';
import { cleanLog } from '../../girder/log-buffer.js';
import { neverStarted, type NeverStarted } from '../../girder/canvas/follow-ups.js';
import { removeLeft, removeStaged } from '../../girder/stage.js';
import { jobStatus } from '../../girder/transitions.js';
import type { CancelSource, Run } from '../run.js';
import type { StageContext, Tools } from '../tools.js';
import { publishFollowUps } from './following.js';

/**
 * Tells Girder, and a caller that waits, how the run came out; then removes what was made for it. Girder is told
 * until it has heard: only an answer that no patience will change (the Girder job is gone, its token has expired), or
 * a patience that is used up, ends the attempt, and the run then says so.
 * @param how `isResumed`: the outcome was decided by a worker that is gone, which may have told a part of it
 */
export async function finish(
  context: StageContext,
  run: Run,
  tools: Tools,
  { isResumed }: { isResumed: boolean },
): Promise<void> {
  const { outcome, reason } = run;
  if (outcome === null) throw new Error('a run is finished only once its outcome is decided');
  const log = tools.log.child({ run: run.id });
  let untold: string | null = null;
  let isWanted = true;
  try {
    const words = `\n${reason}\n`;
    if (reason !== null && !(isResumed && (await isSaid(words, context)))) context.girderJob.log(words);
    const status = await context.girderJob.finish(outcome, context.stopping);
    // canceled at the last moment: nothing more is to be started
    isWanted = status !== jobStatus.canceled;
  } catch (error) {
    context.stopping.throwIfAborted();
    untold = errorLine(error);
    log.error({ outcome, why: untold }, 'Girder could not be told of the outcome');
  }
  const children = isWanted ? await publishFollowUps(context, run, tools) : [];
  await publishResults(run, children, tools).catch((error: unknown) => {
    log.warn({ why: coerceError(error).message }, 'the Celery result was not published');
  });
  if (untold === null) await context.girderJob.confirm(outcome, context.stopping);
  context.stopping.throwIfAborted();
  await cleanUp(run, tools);
  if (outcome !== 'succeeded' && run.refusal === null) {
    await tools.messages.keep(run.task, run.acceptedAt + tokenLifeMs);
  }
  const told = untold === null;
  await tools.book.record(run.id, { type: 'finished', told, ...(untold === null ? {} : { why: untold }) });
  const why = reason?.split('\n', 1)[0];
  log.info({ outcome, job: run.jobId, told, ...(why === undefined ? {} : { why }) }, 'finished');
}

/** Whether an earlier worker, which died before it was done, has said so already. Said twice is better than not at all. */
async function isSaid(text: string, { girderJob, stopping }: StageContext): Promise<boolean> {
  try {
    const { log } = await girderJob.read(stopping);
    return log?.join('').includes(cleanLog(text)) ?? false;
  } catch {
    return false;
  }
}

/** Celery's word for a cancel (contract, section h). */
const wordOf = {
  girder: 'revoked',
  operator: 'revoked',
  celery: 'revoked',
  termination: 'terminated',
  expiry: 'expired',
} as const satisfies Record<CancelSource, string>;

async function publishResults(run: Run, children: readonly TaskChild[], tools: Tools): Promise<void> {
  const result = resultOf(run, children);
  await tools.publishResult(run.task, result);
  if (result.status !== 'FAILURE' || run.task.ignoreResult) return;
  // whoever waits for the last task of the chain would wait for ever
  for (const { id, replyTo } of tasksNeverStarted(run)) {
    await tools.publishResult({ id, replyTo, correlationId: null, ignoreResult: false }, result);
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

async function cleanUp(run: Run, { settings, log }: Tools): Promise<void> {
  const { outcome, staged, submission } = run;
  try {
    if (submission !== null) await rm(submission.exitRecord, { force: true });
    for (const file of Object.values(submission?.streams ?? {})) await rm(file, { force: true });
    // Girder has the whole log of a run that went well; that of any other stays for those who look into it
    if (submission !== null && outcome === 'succeeded') await rm(submission.logFile, { force: true });
    // a worker that died while it staged has left what the journal does not know
    if (staged === null) await removeLeft(settings.dirs.tmp, run.id);
    else if (!(settings.worker.keepFiles && outcome === 'failed')) await removeStaged(staged);
  } catch (error) {
    log.warn({ run: run.id, why: errorLine(error) }, 'temporary files were left behind');
  }
}
