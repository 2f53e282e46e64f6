/**
 * What is known of a Girder job's log from what was read and sent of it, to notice when a part of it is lost. Whoever
 * publishes through slicer_cli_web saves the whole job document once more after publishing it, without its log
 * (`cliSubHandler`, 1.5.14 to 5.0.21): what was reported before that is gone then.
 */
export interface SentLog {
  /** The log as it was read before anything was sent. Only the first call counts. */
  start(log: string): void;
  /** Girder has accepted this piece. */
  add(piece: string): void;
  /** The whole log as it should be, if what Girder has is only the end of it; null if nothing is missing, or it cannot be told. */
  repaired(log: string): string | null;
}

/** Characters that are kept of its beginning: only that can be lost to a late save. */
const keptLength = 1 << 18;
/** Characters of a log that Girder may have shortened itself (contract, section f), with a margin. */
const shortenedLength = 1 << 21;

export function createSentLog(): SentLog {
  let hasBegun = false;
  let head = '';
  let length = 0;

  function add(piece: string): void {
    length += piece.length;
    if (head.length < keptLength) head += piece.slice(0, keptLength - head.length);
  }

  return {
    start(log) {
      if (hasBegun) return;
      hasBegun = true;
      length = 0;
      head = '';
      add(log);
    },
    add,
    repaired(log) {
      const missing = length - log.length;
      if (!hasBegun || missing <= 0 || missing > head.length || length > shortenedLength) return null;
      // whoever else writes into the log makes it impossible to tell what is missing
      const known = head.slice(missing);
      if (!log.startsWith(known)) return null;
      return head.slice(0, missing) + log;
    },
  };
}
