/** A position in a source of log text, in units that its reader defines. */
export interface LogMark {
  source: string;
  at: number;
}

/** The last mark of each source. */
export type LogMarks = Readonly<Record<string, number>>;

/** Log text sent in one request. */
interface LogChunk {
  text: string;
  /** The marks whose text ends in this chunk. */
  marks: LogMarks;
}

/** Log text waiting to be sent, in bounded memory. */
interface LogBuffer {
  /** `mark` is returned by the chunk that contains the end of `text`. */
  append(text: string, mark?: LogMark): void;
  /** The next chunk; the same one until {@link LogBuffer.confirm}. Null if the buffer is empty. */
  next(): LogChunk | null;
  /** Girder accepted the chunk. */
  confirm(): void;
  /** Nothing is waiting or being sent. */
  isEmpty(): boolean;
  /** Characters waiting, without those being sent. */
  length(): number;
  /** Discards all text; the next chunk says how much is missing. */
  drop(): void;
  clear(): void;
}

/** Approximate maximum of characters in one chunk. */
export const chunkLength = 1 << 13;
/** The same, once the log is longer than Girder keeps. */
const longChunkLength = 1 << 15;
/** Characters of a log that Girder keeps (contract, section f). */
const keptLength = 1 << 22;

/**
 * Text beyond `maxLength` drops the oldest text, and the log says how much is missing. Girder keeps as many log entries as
 * 4 MiB hold of the newest one's size, however short the others are, so one large chunk after many small reports would drop
 * those. Chunks are therefore small while Girder can still keep the whole log.
 */
export function createLogBuffer({ maxLength = 1 << 20 } = {}): LogBuffer {
  let entries: { text: string; mark: LogMark | undefined }[] = [];
  let length = 0;
  let lost = 0;
  let handedOut = 0;
  let pending: LogChunk | null = null;

  function dropOldest(): void {
    let whole = 0;
    for (const entry of entries) {
      const excess = length - maxLength;
      if (excess <= 0) break;
      if (entry.text.length > excess) {
        const kept = entry.text.slice(cutAt(entry.text, excess));
        lost += entry.text.length - kept.length;
        length -= entry.text.length - kept.length;
        entry.text = kept;
        break;
      }
      lost += entry.text.length;
      length -= entry.text.length;
      // the newest entry stays for its mark, even when nothing of its text does
      if (whole === entries.length - 1) entry.text = '';
      else whole += 1;
    }
    if (whole > 0) entries.splice(0, whole);
  }

  function takeChunk(): LogChunk {
    const parts: string[] = [];
    if (lost > 0) parts.push(`\n[${lost} characters of the log are missing here: Girder was too slow.]\n`);
    lost = 0;
    let room = handedOut < keptLength ? chunkLength : longChunkLength;
    const marks: Record<string, number> = {};
    let whole = 0;
    for (const entry of entries) {
      if (entry.text.length > room) {
        // only an entry too long for any chunk is split: a chunk that ends with a mark can be recognized later
        if (whole > 0) break;
        const end = cutAt(entry.text, room);
        parts.push(entry.text.slice(0, end));
        entry.text = entry.text.slice(end);
        length -= end;
        break;
      }
      parts.push(entry.text);
      room -= entry.text.length;
      length -= entry.text.length;
      if (entry.mark !== undefined) marks[entry.mark.source] = entry.mark.at;
      whole += 1;
    }
    entries.splice(0, whole);
    const text = parts.join('');
    handedOut += text.length;
    return { text, marks };
  }

  return {
    append(text, mark) {
      const clean = cleanLog(text);
      if (clean === '' && mark === undefined) return;
      entries.push({ text: clean, mark });
      length += clean.length;
      dropOldest();
    },
    next() {
      if (pending === null && entries.length > 0) pending = takeChunk();
      return pending;
    },
    confirm() {
      pending = null;
    },
    isEmpty: () => pending === null && entries.length === 0,
    length: () => length,
    drop() {
      lost += length + (pending?.text.length ?? 0);
      entries = [];
      length = 0;
      pending = null;
    },
    clear() {
      entries = [];
      length = 0;
      lost = 0;
      pending = null;
    },
  };
}

/** Text as it is sent: without NUL characters and lone surrogates. */
export function cleanLog(text: string): string {
  return text.replaceAll('\0', '').toWellFormed();
}

/** At most `index`, and not inside a surrogate pair. */
function cutAt(text: string, index: number): number {
  const high = text.charCodeAt(index - 1);
  return index > 1 && index < text.length && high >= 0xd800 && high <= 0xdbff ? index - 1 : index;
}
