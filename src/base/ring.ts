/** Keeps the last `size` items, oldest first. */
export interface Ring<T> {
  push(item: T): void;
  items(): readonly T[];
}

export function createRing<T>(size: number): Ring<T> {
  let kept: T[] = [];
  return {
    push(item) {
      // a new array each time, because callers may keep the old one
      kept = [...kept.slice(-(size - 1)), item];
    },
    items: () => kept,
  };
}
