/** A number of places for each key: whoever holds all the places of one key keeps nobody of another one waiting. */
export interface KeyedLimiter {
  /**
   * Waits for a place, in order of arrival.
   * @returns gives the place back; calling it again does nothing
   * @throws the reason of `signal` if it aborts before there is a place
   */
  acquire(key: string, signal?: AbortSignal): Promise<() => void>;
}

interface Room {
  taken: number;
  waiting: Set<() => void>;
}

/** @param count places for each key */
export function createKeyedLimiter(count: number): KeyedLimiter {
  const rooms = new Map<string, Room>();

  function leave(key: string, room: Room): void {
    const [next] = room.waiting;
    if (next !== undefined) {
      // the place is handed on, so that nobody who comes meanwhile takes it
      room.waiting.delete(next);
      next();
      return;
    }
    room.taken -= 1;
    if (room.taken === 0) rooms.delete(key);
  }

  return {
    async acquire(key, signal) {
      signal?.throwIfAborted();
      const room = rooms.get(key) ?? { taken: 0, waiting: new Set() };
      rooms.set(key, room);
      if (room.taken < count) room.taken += 1;
      else await turn(room, signal);
      let hasLeft = false;
      return () => {
        if (!hasLeft) leave(key, room);
        hasLeft = true;
      };
    },
  };
}

async function turn({ waiting }: Room, signal: AbortSignal | undefined): Promise<void> {
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
