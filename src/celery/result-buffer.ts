/** Buffers items that cannot be sent now. When it is full, the oldest item is dropped. */
export interface ResultBuffer<T> {
  /** Sends immediately if connected. */
  send(item: T): void;
  /** Sets where items go; buffered items are sent first. Null: only buffer. */
  connect(deliver: ((item: T) => void) | null): void;
}

/** If `deliver` throws, the item stays buffered until the next `connect`. */
export function createResultBuffer<T>(limit: number, onDropped: (item: T) => void): ResultBuffer<T> {
  const waiting: T[] = [];
  let deliver: ((item: T) => void) | null = null;

  const flush = () => {
    while (deliver !== null && waiting.length > 0) {
      try {
        deliver(waiting[0] as T);
        waiting.shift();
      } catch {
        // the connection is closing; the next one continues from here
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
