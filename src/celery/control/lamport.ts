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
      // One hostile message must not bring the clock to a stop, nor to where it needs 64 bits, which not everybody can read.
      if (typeof other === 'number' && Number.isInteger(other) && other >= 0 && other < 2 ** 30) {
        value = Math.max(value, other) + 1;
      }
    },
  };
}
