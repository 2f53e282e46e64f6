/** The last few of many things, oldest first. */
export interface Ring<T> {
  push(item: T): void;
  items(): readonly T[];
}

export function createRing<T>(size: number): Ring<T> {
  let kept: T[] = [];
  return {
    push(item) {
      // a new array each time: who holds the old one has something that does not change
      kept = [...kept.slice(-(size - 1)), item];
    },
    items: () => kept,
  };
}
