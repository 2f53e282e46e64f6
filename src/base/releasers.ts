import { errorLine } from './errors.js';
import type { Log } from './log.js';

/** What must be released in the end, in the reverse order of how it was acquired. */
export interface Releasers {
  /**
   * Remembers a releaser. One that is added after the release has begun is run at once: what a start acquires while a stop
   * is under way does not stay behind.
   * @param what for the log, as in `could not release …`
   */
  add(what: string, release: () => unknown): void;
  /**
   * Runs all releasers, the last one first, each after the one before it. One that fails is logged and keeps none of the
   * others from running. Called again, it returns the same promise. Never rejects.
   */
  release(): Promise<void>;
}

export function createReleasers(log: Log): Releasers {
  const stack: { what: string; release: () => unknown }[] = [];
  let releasing: Promise<void> | null = null;

  async function runAll(): Promise<void> {
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      try {
        await next.release();
      } catch (error) {
        log.warn({ what: next.what, why: errorLine(error) }, 'could not release something while stopping');
      }
    }
  }

  return {
    add(what, release) {
      stack.push({ what, release });
      if (releasing !== null) releasing = releasing.then(runAll);
    },
    async release() {
      releasing ??= runAll();
      return releasing;
    },
  };
}
