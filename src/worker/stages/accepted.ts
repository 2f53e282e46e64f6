import { errorLine } from '../../base/errors.js';
import type { Run } from '../run-state/run.js';
import type { StageContext, WorkerServices } from '../worker-services.js';

/** A cancel that no revoke told us of shows in the Girder job only; it is asked at this pace while a task waits. */
const askEveryMs = 60_000;

/**
 * Celery's `eta` and `expires` (contract, section a): waits for the one and then looks at the other, before Girder hears
 * of RUNNING and before anything is fetched.
 * @returns the cancel of a run that is not to be begun; null for one that is
 * @throws an abort error if the worker stops meanwhile: the next start waits for what is left
 */
export async function waitUntilDue(
  { id, task }: Run,
  context: StageContext,
  services: WorkerServices,
): Promise<NonNullable<Run['cancel']> | null> {
  const { runStore, clock } = services;
  if (task.eta !== null) await waitUntil(Date.parse(task.eta), id, context, services);
  context.stopping.throwIfAborted();
  const canceled = runStore.get(id)?.cancel ?? null;
  if (canceled !== null || task.expires === null || Date.parse(task.expires) >= clock.now()) return canceled;
  return (await runStore.record(id, { type: 'cancel-requested', by: 'expiry' })).cancel;
}

async function waitUntil(
  due: number,
  id: string,
  context: StageContext,
  services: WorkerServices,
): Promise<void> {
  const { clock, log } = services;
  const isDue = new AbortController();
  const over = AbortSignal.any([context.signal, isDue.signal]);
  const askMeanwhile = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(askEveryMs, over);
      if (over.aborted) return;
      // whatever the answer is, a cancel in it reaches the run by itself
      await context.girderJob.read(over).catch((error: unknown) => {
        if (!over.aborted)
          log.debug({ run: id, why: errorLine(error) }, 'Girder was not asked about a cancel');
      });
    }
  };
  const wait = due - clock.now();
  if (wait <= 0) return;
  log.info({ run: id, seconds: Math.ceil(wait / 1_000) }, 'waits for its eta');
  const asking = askMeanwhile();
  await clock.sleep(wait, context.signal);
  isDue.abort();
  await asking;
}
