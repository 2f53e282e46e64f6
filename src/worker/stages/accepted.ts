import { errorLine } from '../../base/errors.js';
import type { Run } from '../run-state/run.js';
import type { Services, StageContext } from '../worker-services.js';

/** How often the Girder job is read while a task waits: a cancel without a revoke shows only there. */
const readEveryMs = 60_000;

/**
 * Celery's `eta` and `expires` (contract, section a): waits for `eta`, then checks `expires`, before the Girder job
 * becomes RUNNING and before anything is downloaded.
 * @returns the cancel of a run that must not start; null if it may start
 * @throws an abort error if the worker stops; the next start waits for the remaining time
 */
export async function waitUntilDue(
  { id, task }: Run,
  context: StageContext,
  services: Services<'runStore' | 'clock' | 'log'>,
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
  services: Services<'clock' | 'log'>,
): Promise<void> {
  const { clock, log } = services;
  const isDue = new AbortController();
  const stop = AbortSignal.any([context.signal, isDue.signal]);
  const pollForCancel = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(readEveryMs, stop);
      if (stop.aborted) return;
      // a cancel in the answer reaches the run through its signal
      await context.girderJob.read(stop).catch((error: unknown) => {
        if (!stop.aborted)
          log.debug({ run: id, why: errorLine(error) }, 'could not check Girder for a cancel');
      });
    }
  };
  const wait = due - clock.now();
  if (wait <= 0) return;
  log.info({ run: id, seconds: Math.ceil(wait / 1_000) }, 'waiting for its eta');
  const polling = pollForCancel();
  await clock.sleep(wait, context.signal);
  isDue.abort();
  await polling;
}
