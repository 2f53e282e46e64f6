import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { Freshness } from './handle.js';

/** A view that is kept fresh only while somebody listens. */
export interface Watch<T> {
  /** Calls `listener` with the view as it is, and then after each change. Returns the way to stop. */
  listen(listener: (view: T) => void): () => void;
  /** Ends all listening. */
  close(): void;
}

export interface AskedWatch<T> {
  /** The view before the first answer. */
  first: T;
  /** Asks once; what it throws is the trouble of the view, which stays as it was. @param last the view so far */
  ask: (last: T) => Promise<T>;
  /** Milliseconds between two questions; while they fail, up to a minute. */
  everyMs: number;
  clock: Clock;
}

const longestPauseMs = 60_000;

/** A view that is asked for again and again, one question at a time. */
export function createAskedWatch<T extends Freshness>({
  first,
  ask,
  everyMs,
  clock,
}: AskedWatch<T>): Watch<T> {
  const listeners = new Set<(view: T) => void>();
  let view = first;
  let asking: AbortController | null = null;
  let failures = 0;

  async function follow(over: AbortController): Promise<void> {
    while (!over.signal.aborted) {
      let next: T;
      try {
        next = await ask(view);
      } catch (error) {
        next = { ...view, trouble: errorLine(error) };
      }
      failures = next.trouble === null ? 0 : failures + 1;
      if (next !== view) {
        view = next;
        for (const listener of listeners) listener(view);
      }
      const pause = Math.min(everyMs * 2 ** Math.min(failures, 16), Math.max(everyMs, longestPauseMs));
      await clock.sleep(pause, over.signal);
    }
  }

  return {
    listen(listener) {
      listeners.add(listener);
      if (asking === null) {
        asking = new AbortController();
        void follow(asking);
      }
      listener(view);
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        asking?.abort();
        asking = null;
      };
    },
    close() {
      listeners.clear();
      asking?.abort();
      asking = null;
    },
  };
}
