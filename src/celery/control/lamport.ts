/** Celery's logical clock: every message carries its value, and every node continues from the highest value seen. */
export interface LamportClock {
  value(): number;
  /** Advances by one, before sending. */
  forward(): number;
  /** Merges a received value; invalid ones are ignored. */
  adjust(received: unknown): void;
}

export function createLamportClock(): LamportClock {
  let value = 0;
  return {
    value: () => value,
    forward: () => (value += 1),
    adjust(received) {
      // a hostile message must not stop the clock, nor push it beyond 32 bits, which some clients cannot read
      if (typeof received === 'number' && Number.isInteger(received) && received >= 0 && received < 2 ** 30) {
        value = Math.max(value, received) + 1;
      }
    },
  };
}
