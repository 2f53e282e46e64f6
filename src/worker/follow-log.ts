import { errorLine } from '../base/errors.js';
import type { GirderJob } from '../girder/job.js';
import type { PieceOnItsWay } from '../girder/job-news.js';
import { cleanLog } from '../girder/log-buffer.js';
import { readLogPiece } from './log-file.js';
import { createProgressTags, type ProgressTags } from './progress-tags.js';
import type { Run } from './run.js';
import type { StageContext, Tools } from './tools.js';

/** A quiet log is looked at less and less often, up to this many milliseconds apart. */
const quietestMs = 10_000;

/**
 * Sends the job's log to Girder as it grows, from the last byte that Girder has, without its progress tags, until
 * `over` aborts, and then what is still left of it. Memory is the same for a log of any size: the next piece is read
 * when the last one has gone.
 */
export async function followLog(
  { id, girderJob, stopping }: StageContext,
  tools: Tools,
  over: AbortSignal,
): Promise<void> {
  const { book, clock, log } = tools;
  const reportMs = tools.settings.girder.reportSeconds * 1_000;
  const run = book.get(id);
  const path = run?.submission?.logFile;
  if (run === undefined || path === undefined) return;
  const tags = createProgressTags();
  let offset = await settleOnItsWay(run, path, tags, girderJob, stopping);
  // before anything else goes into Girder's log, where the next worker would not recognise the piece any more
  if (offset !== run.logOffset) await book.record(id, { type: 'log-sent', offset }).catch(() => undefined);
  let wait = reportMs;

  for (;;) {
    const last = over.aborted;
    if (stopping.aborted) return;
    // before the job runs there is nothing to look at
    if (last || book.get(id)?.stage === 'running') {
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
  if (rest !== '') girderJob.log(rest, offset);

  /** Reads all that is there; true if there was anything. */
  async function readOn(): Promise<boolean> {
    let grown = false;
    for (;;) {
      if (stopping.aborted) return grown;
      const piece = await readLogPiece(path ?? '', offset);
      if (piece.restarted) girderJob.log('\n[The job was started again by Slurm; its log begins anew.]\n');
      grown ||= piece.text !== '';
      offset = piece.offset;
      if (piece.text !== '') {
        const { text, progress } = tags.push(piece.text);
        if (progress !== null) {
          girderJob.progress(progress);
          book.note(id, { type: 'progress', progress });
        }
        // held-back text counts as not sent: after a restart it is read again. Bytes that are no text grow as text
        girderJob.log(text, Math.max(0, offset - Buffer.byteLength(tags.held())));
        // a log that grows faster than Girder takes it is read no faster than that
        await girderJob.room(stopping);
      }
      if (piece.atEnd) return grown;
    }
  }
}

/** A piece of the log is never longer than this; what claims to be is not looked for. */
const longestPiece = 1024 * 1024;

/**
 * A worker that died while it sent a piece of the log does not know whether Girder has it. Girder does: its log has grown
 * by just that piece, or not at all. Where that does not decide it (somebody else wrote there, or the log is so long that
 * Girder has shortened it), the piece is what the log ends with, or it is sent again.
 * @returns where the log goes on
 */
async function settleOnItsWay(
  { logOffset, logOnItsWay, pieceOnItsWay }: Run,
  path: string,
  tags: ProgressTags,
  girderJob: GirderJob,
  stopping: AbortSignal,
): Promise<number> {
  if (logOnItsWay === null || logOnItsWay <= logOffset || logOnItsWay - logOffset > longestPiece)
    return logOffset;
  try {
    const piece = await readLogPiece(path, logOffset, logOnItsWay - logOffset);
    if (piece.restarted || piece.offset !== logOnItsWay) return logOffset;
    const { log } = await girderJob.read(stopping);
    if (!isInLog(log?.join('') ?? '', pieceOnItsWay, cleanLog(createProgressTags().push(piece.text).text)))
      return logOffset;
    tags.push(piece.text);
    return logOnItsWay;
  } catch {
    // said twice is better than not at all
    return logOffset;
  }
}

function isInLog(log: string, piece: PieceOnItsWay | null, text: string): boolean {
  if (piece !== null && log.length === piece.before) return false;
  if (piece !== null && piece.before !== null && log.length === piece.before + piece.length) return true;
  return log.endsWith(text);
}
