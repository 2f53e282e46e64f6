/**
 * Remembers the log text that was read and sent, to detect when Girder loses a part of it. slicer_cli_web saves the whole
 * job document, without its log, once more after publishing the task (`cliSubHandler`, 1.5.14 to 5.0.21), which deletes what
 * was reported before that.
 */
interface SentLog {
  /** Records the log as it was before anything was sent. Only the first call has an effect. */
  start(log: string): void;
  /** Records a chunk that Girder accepted. */
  add(chunk: string): void;
  /** The complete log, if Girder has only its end; null if nothing is missing or if that cannot be determined. */
  repaired(log: string): string | null;
}

/** Characters kept from the beginning of the log, the only part that a late save can delete. */
const keptLength = 1 << 18;
/** Above this length, with a margin, Girder may have truncated the log itself (contract, section f). */
const truncatedLength = 1 << 21;

export function createSentLog(): SentLog {
  let hasBegun = false;
  let head = '';
  let length = 0;

  function add(chunk: string): void {
    length += chunk.length;
    if (head.length < keptLength) head += chunk.slice(0, keptLength - head.length);
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
      if (!hasBegun || missing <= 0 || missing > head.length || length > truncatedLength) return null;
      // with another writer it is impossible to say what is missing
      const known = head.slice(missing);
      if (!log.startsWith(known)) return null;
      return head.slice(0, missing) + log;
    },
  };
}
