/** Limits concurrency separately for each key. */
export interface KeyedLimiter {
  /**
   * Waits for a slot, in order of arrival.
   * @returns a function that releases the slot; calling it again does nothing
   * @throws the reason of `signal` if it aborts first
   */
  acquire(key: string, signal?: AbortSignal): Promise<() => void>;
}

interface Slots {
  used: number;
  waiting: Set<() => void>;
}

/** @param limit slots per key */
export function createKeyedLimiter(limit: number): KeyedLimiter {
  const slotsByKey = new Map<string, Slots>();

  function release(key: string, slots: Slots): void {
    const [next] = slots.waiting;
    if (next !== undefined) {
      // the slot is passed on directly, so that a new caller cannot take it
      slots.waiting.delete(next);
      next();
      return;
    }
    slots.used -= 1;
    if (slots.used === 0) slotsByKey.delete(key);
  }

  return {
    async acquire(key, signal) {
      signal?.throwIfAborted();
      const slots = slotsByKey.get(key) ?? { used: 0, waiting: new Set() };
      slotsByKey.set(key, slots);
      if (slots.used < limit) slots.used += 1;
      else await waitForSlot(slots, signal);
      let isReleased = false;
      return () => {
        if (!isReleased) release(key, slots);
        isReleased = true;
      };
    },
  };
}

async function waitForSlot({ waiting }: Slots, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = (): void => {
    waiting.delete(resolve);
    reject(signal?.reason);
  };
  waiting.add(resolve);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await promise;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
