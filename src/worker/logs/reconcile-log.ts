import { isInLog } from '../../girder/jobs/log-chunk.js';
import type { StageContext, WorkerServices } from '../worker-services.js';

/**
 * A worker that died while it sent a piece of log does not know whether Girder has it. Girder does, and is asked here,
 * before anything else goes into its log. A piece that it has not got is sent again. It is not found out where Girder
 * refuses to say: then said twice is better than not at all.
 */
export async function reconcileLog(
  { id, girderJob, stopping }: StageContext,
  { runStore }: WorkerServices,
): Promise<void> {
  const run = runStore.get(id);
  if (run === undefined || run.pieceOnItsWay === null) return;
  try {
    const { log } = await girderJob.read(stopping);
    if (!isInLog(log ?? [], run.pieceOnItsWay)) return;
    await runStore.record(id, { type: 'log-sent', offset: run.logOnItsWay, streams: run.streamsOnItsWay });
  } catch {
    // the worker stops, or Girder does not say
  }
}
