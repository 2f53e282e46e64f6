/** A seeded pseudo-random generator. */
export interface Random {
  /** 0 <= x < 1 */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number;
  /** True with this probability in percent. */
  percent(chance: number): boolean;
  pick<T>(list: readonly [T, ...T[]]): T;
  /** A shuffled copy. */
  shuffle<T>(list: readonly T[]): T[];
}

/** Mulberry32: small, fast, and good enough to choose faults with. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    int,
    percent: (chance) => next() * 100 < chance,
    pick: (list) => list[int(0, list.length - 1)] ?? list[0],
    shuffle(list) {
      const rest = [...list];
      return list.map(() => rest.splice(int(0, rest.length - 1), 1)).flat();
    },
  };
}
