/** What is under way behind a gate, or waits before it. */
export interface GateView {
  /** What has been under way longest, and since when, by the gate's clock. */
  label: string;
  since: number;
  /** Others that wait for their turn. */
  waiting: number;
}

/** Lets a few pieces of work through at one time; the others wait, in order, for as long as it takes. */
export interface Gate {
  /** @param label for people, if it takes long */
  pass<T>(label: string, work: () => Promise<T>): Promise<T>;
  /** Null while nothing is under way. */
  view(): GateView | null;
  /** Everybody who waits, before the gate or behind it, gets this error; label is under way goes on without them. */
  abandon(reason: Error): void;
}

/** @param now milliseconds of a clock that never jumps */
export function createGate(places: number, now: () => number): Gate {
  const underWay = new Map<symbol, { label: string; since: number }>();
  const waiting: (() => void)[] = [];
  const present = new Set<(reason: Error) => void>();
  let taken = 0;

  async function enter(): Promise<void> {
    if (taken < places) taken += 1;
    // a place is handed on, so that nobody who comes meanwhile takes it
    else await new Promise<void>((resolve) => waiting.push(resolve));
  }

  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) taken -= 1;
    else next();
  }

  return {
    async pass(label, work) {
      const { promise: abandoned, reject } = Promise.withResolvers<never>();
      let reason: Error | null = null;
      const giveUp = (why: Error): void => {
        reason = why;
        reject(why);
      };
      const through = async () => {
        await enter();
        const place = Symbol(label);
        try {
          if (reason !== null) throw reason;
          underWay.set(place, { label, since: now() });
          return await work();
        } finally {
          underWay.delete(place);
          leave();
        }
      };
      present.add(giveUp);
      try {
        return await Promise.race([through(), abandoned]);
      } finally {
        present.delete(giveUp);
      }
    },
    view() {
      const [longest] = underWay.values();
      return longest === undefined ? null : { ...longest, waiting: waiting.length };
    },
    abandon(reason) {
      for (const giveUp of present) giveUp(reason);
    },
  };
}
