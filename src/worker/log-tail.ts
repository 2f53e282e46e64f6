import type { Clock } from '../base/clock.js';
import type { LogTail } from './handle.js';
import { readLogPiece, sizeOfLog } from './log-file.js';
import { createProgressTags } from './progress-tags.js';

/** Lines that a tail holds, and how far back it begins. */
const linesKept = 2_000;
const beginBytes = 256 * 1024;
const lookEveryMs = 1_000;
/** A line longer than this is cut, so that a log without line ends stays bounded too. */
const longestLine = 4_096;

/**
 * Follows a log for a screen: its last lines, and new ones as they come.
 * @param path says where the log is, once it is known.
 * @returns the way to stop.
 */
export function tailLog(
  path: () => string | null,
  listener: (tail: LogTail) => void,
  clock: Clock,
): () => void {
  const over = new AbortController();
  void follow(path, listener, clock, over.signal);
  return () => over.abort();
}

async function follow(
  path: () => string | null,
  listener: (tail: LogTail) => void,
  clock: Clock,
  over: AbortSignal,
): Promise<void> {
  let lines: string[] = [];
  let open = '';
  let lost = 0;
  let offset: number | null = null;
  let told = false;
  // the progress bar shows what they say
  const tags = createProgressTags();
  while (!over.aborted) {
    const file = path();
    let grown = false;
    if (file !== null) {
      try {
        offset ??= Math.max(0, (await sizeOfLog(file)) - beginBytes);
        for (let more = true; more && !over.aborted;) {
          const piece = await readLogPiece(file, offset);
          if (piece.restarted) lines = [];
          offset = piece.offset;
          more = !piece.atEnd;
          if (piece.text === '') continue;
          grown = true;
          const parts = (open + tags.push(piece.text).text).split('\n');
          open = (parts.pop() ?? '').slice(-longestLine);
          lines.push(...parts.map((line) => line.slice(0, longestLine)));
          if (lines.length > linesKept) {
            lost += lines.length - linesKept;
            lines = lines.slice(-linesKept);
          }
        }
      } catch {
        // not readable at present: what was read stays on the screen
      }
    }
    if ((grown || !told) && !over.aborted) {
      told = true;
      // a new one each time: who holds the last one can tell what has changed
      listener({ lines: open === '' ? [...lines] : [...lines, open], lost });
    }
    await clock.sleep(lookEveryMs, over);
  }
}
