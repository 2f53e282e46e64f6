import { errorLine } from '../../base/errors.js';
import { readLogPiece } from './log-file.js';
import { createProgressTags } from './progress-tags.js';
import { withoutRuntimeRemarks } from './runtime-remarks.js';
import { logOffset } from './log-offsets.js';
import type { Services, StageContext } from '../worker-services.js';

/** Longest interval, in milliseconds, at which a log that does not grow is polled. */
const maxPollMs = 10_000;

/**
 * Sends the growing log of the job to Girder, from the last byte that Girder has and without progress tags, until `ended`
 * aborts; then sends the rest. Memory use does not depend on the size of the log: the next chunk is read after the last
 * one was sent.
 */
export async function followLog(
  { id, girderJob, stopping }: StageContext,
  services: Services<'runStore' | 'clock' | 'log' | 'settings'>,
  ended: AbortSignal,
): Promise<void> {
  const { runStore, clock, log } = services;
  const reportMs = services.settings.girder.reportSeconds * 1_000;
  const run = runStore.get(id);
  const path = run?.submission?.logFile;
  if (run === undefined || path === undefined) return;
  const tags = createProgressTags();
  let offset = run.logOffset;
  /** Whether only the container runtime has written to the log so far. */
  let isAtStart = offset === 0;
  let wait = reportMs;

  for (;;) {
    const last = ended.aborted;
    if (stopping.aborted) return;
    // there is no log before the job runs
    if (last || runStore.get(id)?.stage === 'running') {
      try {
        const grown = await readOn();
        wait = grown ? reportMs : Math.min(wait * 1.5, maxPollMs);
      } catch (error) {
        log.warn({ run: id, why: errorLine(error) }, 'could not read the log of the job');
      }
    }
    if (last) break;
    await clock.sleep(wait, ended);
  }
  const rest = tags.end();
  if (rest !== '') girderJob.log(rest, logOffset(offset));

  /** Reads everything available. Returns whether there was anything. */
  async function readOn(): Promise<boolean> {
    let grown = false;
    for (;;) {
      if (stopping.aborted) return grown;
      const piece = await readLogPiece(path ?? '', offset);
      if (piece.restarted) {
        girderJob.log('\n[The job was restarted; its log starts over.]\n');
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
        // held-back text counts as not sent, so that it is read again after a restart; invalid UTF-8 is longer as text
        girderJob.log(text, logOffset(Math.max(0, offset - Buffer.byteLength(tags.held()))));
        // read the log no faster than Girder accepts it
        await girderJob.waitForRoom(stopping);
      }
      if (piece.atEnd) return grown;
    }
  }
}
