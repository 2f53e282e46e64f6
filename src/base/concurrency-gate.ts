/** State of a gate that is in use. */
interface GateView {
  /** The work that has been running longest, and since when, by the gate's clock. */
  label: string;
  since: number;
  /** Number of waiting calls. */
  waiting: number;
}

/** Limits concurrent work; further calls wait in order, without a time limit. */
interface Gate {
  /** @param label shown to the user if the work takes long */
  pass<T>(label: string, work: () => Promise<T>): Promise<T>;
  /** Null while nothing runs. */
  view(): GateView | null;
  /** Rejects all calls, running or waiting, with this error. The running work itself continues. */
  abandon(reason: Error): void;
}

/** @param now monotonic clock in milliseconds */
export function createGate(limit: number, now: () => number): Gate {
  const running = new Map<symbol, { label: string; since: number }>();
  const waiting: (() => void)[] = [];
  const calls = new Set<(reason: Error) => void>();
  let active = 0;

  async function enter(): Promise<void> {
    if (active < limit) active += 1;
    // the slot is passed on directly, so that a new call cannot take it
    else await new Promise<void>((resolve) => waiting.push(resolve));
  }

  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) active -= 1;
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
        const id = Symbol(label);
        try {
          if (reason !== null) throw reason;
          running.set(id, { label, since: now() });
          return await work();
        } finally {
          running.delete(id);
          leave();
        }
      };
      calls.add(giveUp);
      try {
        return await Promise.race([through(), abandoned]);
      } finally {
        calls.delete(giveUp);
      }
    },
    view() {
      const [longest] = running.values();
      return longest === undefined ? null : { ...longest, waiting: waiting.length };
    },
    abandon(reason) {
      for (const giveUp of calls) giveUp(reason);
    },
  };
}
