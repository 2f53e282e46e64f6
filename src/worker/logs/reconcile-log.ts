import { isInLog } from '../../girder/jobs/log-chunk.js';
import type { Services, StageContext } from '../worker-services.js';

/**
 * Finds out whether Girder has the log chunk that an earlier worker was sending when it died, before anything else is
 * added to the log. A missing chunk is sent again. So is one that Girder does not let this worker check: a repeated
 * chunk is better than a lost one.
 */
export async function reconcileLog(
  { id, girderJob, stopping }: StageContext,
  { runStore }: Services<'runStore'>,
): Promise<void> {
  const run = runStore.get(id);
  if (run === undefined || run.pieceOnItsWay === null) return;
  try {
    const { log } = await girderJob.read(stopping);
    if (!isInLog(log ?? [], run.pieceOnItsWay)) return;
    await runStore.record(id, { type: 'log-sent', offset: run.logOnItsWay, streams: run.streamsOnItsWay });
  } catch {
    // the worker stops, or Girder does not answer
  }
}
