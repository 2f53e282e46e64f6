/** Keeps what cannot be sent now, up to a limit; the oldest goes first. */
export interface ResultBuffer<T> {
  /** Sends at once if possible. */
  send(item: T): void;
  /** From now on items go through `deliver`, the waiting ones first; null: keep them. */
  connect(deliver: ((item: T) => void) | null): void;
}

/** `deliver` may throw: the item is kept then, until the next `connect`. */
export function createResultBuffer<T>(limit: number, onDropped: (item: T) => void): ResultBuffer<T> {
  const waiting: T[] = [];
  let deliver: ((item: T) => void) | null = null;

  const flush = () => {
    while (deliver !== null && waiting.length > 0) {
      try {
        deliver(waiting[0] as T);
        waiting.shift();
      } catch {
        // The connection is going down; the next one takes over from here.
        deliver = null;
      }
    }
  };

  return {
    send(item) {
      waiting.push(item);
      flush();
      const dropped = waiting.length > limit ? waiting.shift() : undefined;
      if (dropped !== undefined) onDropped(dropped);
    },
    connect(to) {
      deliver = to;
      flush();
    },
  };
}
