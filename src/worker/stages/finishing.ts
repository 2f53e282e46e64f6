import { rm } from 'node:fs/promises';

import { coerceError, errorLine } from '../../base/errors.js';
import type { TaskResult } from '../../celery/task.js';
import { removeLeft, removeStaged } from '../../girder/stage.js';
import type { CancelSource, Run } from '../run.js';
import type { StageContext, Tools } from '../tools.js';

/**
 * Tells Girder, and a caller that waits, how the run came out; then removes what was made for it. Girder is told
 * until it has heard: only an answer that no patience will change (the Girder job is gone, its token has expired), or
 * a patience that is used up, ends the attempt, and the run then says so.
 */
export async function finish(context: StageContext, run: Run, tools: Tools): Promise<void> {
  const { outcome, reason } = run;
  if (outcome === null) throw new Error('a run is finished only once its outcome is decided');
  const log = tools.log.child({ run: run.id });
  let untold: string | null = null;
  try {
    if (reason !== null) context.girderJob.log(`\n${reason}\n`);
    await context.girderJob.finish(outcome, context.stopping);
  } catch (error) {
    context.stopping.throwIfAborted();
    untold = errorLine(error);
    log.error({ outcome, why: untold }, 'Girder could not be told of the outcome');
  }
  await tools.publishResult(run.task, resultOf(run)).catch((error: unknown) => {
    log.warn({ why: coerceError(error).message }, 'the Celery result was not published');
  });
  await cleanUp(run, tools);
  const told = untold === null;
  await tools.book.record(run.id, { type: 'finished', told, ...(untold === null ? {} : { why: untold }) });
  log.info({ outcome, job: run.jobId, told }, 'finished');
}

/** Celery's word for a cancel (contract, section h). */
const wordOf = {
  girder: 'revoked',
  operator: 'revoked',
  celery: 'revoked',
  termination: 'terminated',
  expiry: 'expired',
} as const satisfies Record<CancelSource, string>;

function resultOf({ outcome, reason, cancel }: Run): TaskResult {
  switch (outcome) {
    case 'succeeded':
      return { status: 'SUCCESS' };
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
