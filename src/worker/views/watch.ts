import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { Freshness } from './handle.js';

/** A view that is updated only while there are listeners. */
export interface Watch<T> {
  /** Calls `listener` with the current view and after each change. Returns a function that unsubscribes. */
  listen(listener: (view: T) => void): () => void;
  /** Removes all listeners. */
  close(): void;
}

export interface PolledWatch<T> {
  /** The view before the first answer. */
  first: T;
  /** Queries once. An error is shown with the last view. @param last the last view */
  ask: (last: T) => Promise<T>;
  /** Milliseconds between two queries; up to a minute while they fail. */
  everyMs: number;
  /** Milliseconds between two queries at least, also if listeners come and go; absent: none. */
  minGapMs?: number;
  clock: Clock;
}

const maxPauseMs = 60_000;

/** A view that is polled, one query at a time. */
export function createPolledWatch<T extends Freshness>({
  first,
  ask,
  everyMs,
  minGapMs = 0,
  clock,
}: PolledWatch<T>): Watch<T> {
  const listeners = new Set<(view: T) => void>();
  let view = first;
  let asking: AbortController | null = null;
  let failures = 0;
  let askedAt = -Infinity;

  async function follow(over: AbortController): Promise<void> {
    while (!over.signal.aborted) {
      let next = view;
      try {
        if (clock.monotonic() - askedAt >= minGapMs) {
          askedAt = clock.monotonic();
          next = await ask(view);
        }
      } catch (error) {
        next = { ...view, problem: errorLine(error) };
      }
      failures = next.problem === null ? 0 : failures + 1;
      if (next !== view) {
        view = next;
        for (const listener of listeners) listener(view);
      }
      const pause = Math.min(everyMs * 2 ** Math.min(failures, 16), Math.max(everyMs, maxPauseMs));
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
