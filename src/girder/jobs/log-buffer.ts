/** How far its reader has come in a source of log text, by whatever the reader counts. */
export interface LogMark {
  source: string;
  at: number;
}

/** The last mark of each source. */
export type LogMarks = Readonly<Record<string, number>>;

/** A piece of log that is on its way. */
export interface LogChunk {
  text: string;
  /** The marks whose text this piece brings to its end. */
  marks: LogMarks;
}

/** Log text that waits to be sent, in bounded memory. */
export interface LogBuffer {
  /** `mark` is given back by the piece with which all text of its source up to here is on its way. */
  append(text: string, mark?: LogMark): void;
  /** The next piece; the same one until {@link LogBuffer.confirm}. Null when nothing waits. */
  next(): LogChunk | null;
  /** The piece was accepted. */
  confirm(): void;
  /** Nothing waits and nothing is on its way. */
  isEmpty(): boolean;
  /** Characters that wait, without those on their way. */
  length(): number;
  /** Leaves all of it out; what comes next says how much that was. */
  drop(): void;
  clear(): void;
}

/** Characters in one piece, at most about. */
export const chunkLength = 1 << 13;
/** The same once Girder cannot keep the whole log any more. */
const longPieceLength = 1 << 15;
/** Characters of a log that Girder keeps (contract, section f). */
const keptLength = 1 << 22;

/**
 * Text beyond `maxLength` pushes out the oldest, and the log says how much is missing. Girder keeps as many log entries
 * as 4 MiB hold of the newest one's size, however short the others are: one large piece after many small reports would
 * push those out. So pieces are small for as long as all of the log may be kept; afterwards they only have to be many.
 */
export function createLogBuffer({ maxLength = 1 << 20 } = {}): LogBuffer {
  let entries: { text: string; mark: LogMark | undefined }[] = [];
  let length = 0;
  let lost = 0;
  let handedOut = 0;
  let onItsWay: LogChunk | null = null;

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

  function takePiece(): LogChunk {
    const parts: string[] = [];
    if (lost > 0)
      parts.push(`\n[${lost} characters of the log are missing here: Girder took them too slowly.]\n`);
    lost = 0;
    let room = handedOut < keptLength ? chunkLength : longPieceLength;
    const marks: Record<string, number> = {};
    let whole = 0;
    for (const entry of entries) {
      if (entry.text.length > room) {
        // only what is too long for any piece is cut: a piece that ends with a mark can be recognised later
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
      if (onItsWay === null && entries.length > 0) onItsWay = takePiece();
      return onItsWay;
    },
    confirm() {
      onItsWay = null;
    },
    isEmpty: () => onItsWay === null && entries.length === 0,
    length: () => length,
    drop() {
      lost += length + (onItsWay?.text.length ?? 0);
      entries = [];
      length = 0;
      onItsWay = null;
    },
    clear() {
      entries = [];
      length = 0;
      lost = 0;
      onItsWay = null;
    },
  };
}

/** Text as it is sent: without NUL and half characters. */
export function cleanLog(text: string): string {
  return text.replaceAll('\0', '').toWellFormed();
}

/** At most `index`, and not inside a surrogate pair. */
function cutAt(text: string, index: number): number {
  const high = text.charCodeAt(index - 1);
  return index > 1 && index < text.length && high >= 0xd800 && high <= 0xdbff ? index - 1 : index;
}
