/** Celery's logical clock: every message carries one, and everybody goes on from the highest that they saw. */
export interface LamportClock {
  value(): number;
  /** One step, before something is sent. */
  forward(): number;
  /** Somebody else's value, from a header; anything that is no sane number is ignored. */
  adjust(other: unknown): void;
}

export function createLamportClock(): LamportClock {
  let value = 0;
  return {
    value: () => value,
    forward: () => (value += 1),
    adjust(other) {
      // A bound far below the largest exact integer: one hostile message must not bring the clock to a stop.
      if (typeof other === 'number' && Number.isInteger(other) && other >= 0 && other < 2 ** 48) {
        value = Math.max(value, other) + 1;
      }
    },
  };
}
