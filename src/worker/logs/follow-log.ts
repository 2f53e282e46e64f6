import { errorLine } from '../../base/errors.js';
import { readLogPiece } from './log-file.js';
import { createProgressTags } from './progress-tags.js';
import { withoutRuntimeRemarks } from './runtime-remarks.js';
import { logOffset as markAt } from './log-offsets.js';
import type { StageContext, WorkerServices } from '../worker-services.js';

/** A quiet log is looked at less and less often, up to this many milliseconds apart. */
const quietestMs = 10_000;

/**
 * Sends the job's log to Girder as it grows, from the last byte that Girder has, without its progress tags, until
 * `over` aborts, and then what is still left of it. Memory is the same for a log of any size: the next piece is read
 * when the last one has gone.
 */
export async function followLog(
  { id, girderJob, stopping }: StageContext,
  services: WorkerServices,
  over: AbortSignal,
): Promise<void> {
  const { runStore, clock, log } = services;
  const reportMs = services.settings.girder.reportSeconds * 1_000;
  const run = runStore.get(id);
  const path = run?.submission?.logFile;
  if (run === undefined || path === undefined) return;
  const tags = createProgressTags();
  let offset = run.logOffset;
  /** Nothing but the container runtime has written to the log so far. */
  let isAtStart = offset === 0;
  let wait = reportMs;

  for (;;) {
    const last = over.aborted;
    if (stopping.aborted) return;
    // before the job runs there is nothing to look at
    if (last || runStore.get(id)?.stage === 'running') {
      try {
        const grown = await readOn();
        wait = grown ? reportMs : Math.min(wait * 1.5, quietestMs);
      } catch (error) {
        log.warn({ run: id, why: errorLine(error) }, 'the log of the job cannot be read');
      }
    }
    if (last) break;
    await clock.sleep(wait, over);
  }
  const rest = tags.end();
  if (rest !== '') girderJob.log(rest, markAt(offset));

  /** Reads all that is there; true if there was anything. */
  async function readOn(): Promise<boolean> {
    let grown = false;
    for (;;) {
      if (stopping.aborted) return grown;
      const piece = await readLogPiece(path ?? '', offset);
      if (piece.restarted) {
        girderJob.log('\n[The job was started again; its log begins anew.]\n');
        isAtStart = true;
      }
      grown ||= piece.text !== '';
      offset = piece.offset;
      if (piece.text !== '') {
        const written = isAtStart ? withoutRuntimeRemarks(piece.text) : piece.text;
        isAtStart &&= written === '';
        const { text, progress } = tags.push(written);
        if (progress !== null) {
          girderJob.progress(progress);
          runStore.recordVolatile(id, { type: 'progress', progress });
        }
        // held-back text counts as not sent: after a restart it is read again. Bytes that are no text grow as text
        girderJob.log(text, markAt(Math.max(0, offset - Buffer.byteLength(tags.held()))));
        // a log that grows faster than Girder takes it is read no faster than that
        await girderJob.waitForRoom(stopping);
      }
      if (piece.atEnd) return grown;
    }
  }
}
